import { line, whole } from './describe-load.ts'
import { type Load, loadOf, type Population } from './load-model.ts'
import type { UnitCosts } from './unit-costs.ts'

/**
 * The cost of a month on rented services. Prices are assumed, not measured: list prices of AWS on
 * demand, us-east-1, 2026, in dollars. Traffic is billed apart, and is the same for every gateway.
 */
const prices = {
  hour: { balancer: 0.0225 },
  /** An hour of Fargate. */
  x86: { core: 0.04048, memoryGb: 0.004445 },
  arm: { core: 0.03238, memoryGb: 0.00356 },
  storageGbMonth: 0.115,
}
const hoursPerMonth = 730

/** Of a gateway and of an origin: the least memory that Fargate gives with a core. */
const taskMemoryGb = 2

interface Server {
  name: string
  /** Cores that may be planned for, or what a burstable one sustains. */
  cores: number
  hour: number
}

/** From the smallest to the largest; load is planned at 60 % of them. */
const databases: readonly Server[] = [
  { name: 'db.t4g.medium', cores: 0.4, hour: 0.065 },
  { name: 'db.m7g.large', cores: 2, hour: 0.168 },
  { name: 'db.m7g.xlarge', cores: 4, hour: 0.337 },
  { name: 'db.m7g.2xlarge', cores: 8, hour: 0.674 },
  { name: 'db.m7g.4xlarge', cores: 16, hour: 1.348 },
]
/** One thread each. */
const caches: readonly Server[] = [
  { name: 'cache.t4g.small', cores: 0.4, hour: 0.032 },
  { name: 'cache.m7g.large', cores: 1, hour: 0.158 },
]

/** The system that this one replaces, as it was planned. */
const replaced = { services: 'ECS Fargate, RDS, ElastiCache and ALB', people: 100_000, dollars: 267 }

export interface MonthRow {
  name: string
  what: string
  dollars: number
}

export interface Month {
  rows: MonthRow[]
  total: number
  /** With tasks on ARM, on which nothing was measured. */
  onArm: number
  /** With a standby of PostgreSQL and of each Redis, in another zone. */
  withStandbys: number
}

/** @throws Error where one PostgreSQL is not enough */
export function monthOf(load: Load): Month {
  const task = taskDollars('x86')
  const origins = Math.max(2, Math.ceil(load.hashingCores + load.refreshCores + load.profileCores))
  const database = databases.find(({ cores }) => load.postgresCores <= cores)
  if (!database || load.cells > 1) throw new Error('one PostgreSQL is not enough for so many')
  const cache = caches.find(({ cores }) => load.redisCores <= cores) ?? (caches.at(-1) as Server)
  const storage = (load.storedBytes / 1e9) * prices.storageGbMonth
  const stores = [
    {
      name: 'PostgreSQL',
      what: `${database.name}, ${whole(load.storedBytes / 1e9)} GB`,
      dollars: database.hour * hoursPerMonth + storage,
    },
    {
      name: 'Redis',
      what: `${load.redisServers} ${cache.name}`,
      dollars: load.redisServers * cache.hour * hoursPerMonth,
    },
  ]
  const rows = [
    { name: 'gateways', what: `${load.gateways} tasks`, dollars: load.gateways * task },
    { name: 'origins', what: `${origins} tasks`, dollars: origins * task },
    ...stores,
    { name: 'balancer', what: '1 ALB', dollars: prices.hour.balancer * hoursPerMonth },
  ]
  const sum = (all: readonly MonthRow[]) => all.reduce((total, { dollars }) => total + dollars, 0)
  const total = sum(rows)
  const onArm = total - (load.gateways + origins) * (task - taskDollars('arm'))
  return { rows, total, onArm, withStandbys: total + sum(stores) }
}

const taskDollars = (kind: 'x86' | 'arm') =>
  (prices[kind].core + taskMemoryGb * prices[kind].memoryGb) * hoursPerMonth

/** A column for each population. */
export function describeMonths(populations: readonly Population[], costs: UnitCosts): string {
  const months = populations.map((population) => monthOf(loadOf(population, costs)))
  const names = months[0]?.rows.map(({ name }) => name) ?? []
  const dollars = (value: number | undefined) => (value === undefined ? '-' : `$${whole(value)}`)
  return [
    line(['a month, people at work', ...populations.map(({ users, atWork }) => whole(users * atWork))]),
    line(['---', ...populations.map(() => '---')]),
    ...names.map((name, index) =>
      line([name, ...months.map(({ rows }) => `${rows[index]?.what}: ${dollars(rows[index]?.dollars)}`)]),
    ),
    line(['all', ...months.map(({ total }) => dollars(total))]),
    line([
      'all, with standbys of PostgreSQL and Redis',
      ...months.map((month) => dollars(month.withStandbys)),
    ]),
    line(['all, with tasks on ARM, not measured', ...months.map(({ onArm }) => dollars(onArm))]),
    line([
      `the system that this one replaces (${replaced.services}), planned`,
      ...populations.map(({ users, atWork }) =>
        dollars(users * atWork === replaced.people ? replaced.dollars : undefined),
      ),
    ]),
  ].join('\n')
}

import { type Kind, kinds, shareOf } from '../client/mix.ts'

/**
 * Cost of one request of a kind, by part: microseconds of processor time, and calls of the stores.
 */
export interface Cost {
  gateway: number
  origin: number
  postgres: number
  redis: number
  statements: number
  roundTrips: number
}

export type Costs = Record<Kind, Cost>

export const costNames: readonly (keyof Cost)[] = [
  'gateway',
  'origin',
  'postgres',
  'redis',
  'statements',
  'roundTrips',
]

/** The load that the product is sized for (E7). */
const target = { users: 100_000, requestsPerSecond: 10_000 }

/** Above this, queues form in a burst. */
const utilization = 0.6

/** Assumed, not measured: an on-demand core with 2 GiB of memory, in dollars a month. */
const dollarsPerCore = 30

/** A morning's surge: everybody logs in within so many seconds. */
const surgeSeconds = 600

/** A database server as one rents them without asking. */
const postgresCores = 16

/** A request of the mix, on average. */
function averageCost(costs: Costs): Cost {
  const average = (name: keyof Cost) =>
    kinds.reduce((sum, kind) => sum + shareOf(kind) * costs[kind][name], 0)
  return Object.fromEntries(costNames.map((name) => [name, average(name)])) as unknown as Cost
}

/** @param microseconds of one request */
const coresFor = (microseconds: number) => (microseconds * target.requestsPerSecond) / 1e6

export function capacityOf(costs: Costs) {
  const average = averageCost(costs)
  const busy = {
    gateway: coresFor(average.gateway),
    origin: coresFor(average.origin),
    postgres: coresFor(average.postgres),
    redis: coresFor(average.redis),
  }
  const cores = Object.values(busy).reduce((sum, part) => sum + part, 0) / utilization
  return {
    average,
    busy,
    /** Each of one thread for its JavaScript. */
    gateways: Math.ceil(busy.gateway / utilization),
    originCores: Math.ceil(busy.origin / utilization),
    cores,
    dollarsPerMonth: cores * dollarsPerCore,
    statementsPerSecond: average.statements * target.requestsPerSecond,
    roundTripsPerSecond: average.roundTrips * target.requestsPerSecond,
    /** Requests a second at which each store that does not scale out is full. */
    limits: {
      redis: 1e6 / average.redis,
      postgres: (postgresCores * 1e6) / average.postgres,
    },
    /** Origin cores, flat out, for everybody's login within the surge. */
    surgeCores: (costs.login.origin * target.users) / surgeSeconds / 1e6,
  }
}

const figure = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value >= 10 ? value.toFixed(1) : value.toFixed(2)

const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`

const titles: Record<keyof Cost, string> = {
  gateway: 'gateway, us',
  origin: 'origin, us',
  postgres: 'PostgreSQL, us',
  redis: 'Redis, us',
  statements: 'SQL statements',
  roundTrips: 'Redis round trips',
}

/** The tables of k6/README.md. */
export function describeCapacity(costs: Costs): string {
  const { average, busy, ...capacity } = capacityOf(costs)
  const { users, requestsPerSecond } = target
  return [
    row(['for one request', ...kinds, 'of the mix']),
    row(['---', ...kinds.map(() => '---'), '---']),
    ...costNames.map((name) =>
      row([titles[name], ...kinds.map((kind) => figure(costs[kind][name])), figure(average[name])]),
    ),
    '',
    row([
      `for ${figure(users)} users, ${figure(requestsPerSecond)} requests/s`,
      'busy cores',
      `at ${utilization * 100} % busy`,
    ]),
    row(['---', '---', '---']),
    row(['gateways', figure(busy.gateway), `${capacity.gateways} processes of one core`]),
    row(['origins', figure(busy.origin), `${capacity.originCores} cores, mostly bcrypt`]),
    row(['PostgreSQL', figure(busy.postgres), `${figure(capacity.statementsPerSecond)} statements/s`]),
    row(['Redis', figure(busy.redis), `${figure(capacity.roundTripsPerSecond)} round trips/s on one core`]),
    row([
      'all',
      figure(capacity.cores * utilization),
      `${figure(capacity.cores)} cores, $${figure(capacity.dollarsPerMonth)} a month at $${dollarsPerCore} a core`,
    ]),
    '',
    `Redis, on its one core, is full at ${figure(capacity.limits.redis)} requests/s; a PostgreSQL of ${postgresCores} cores at ${figure(capacity.limits.postgres)}.`,
    `If all ${figure(users)} log in within ${surgeSeconds / 60} minutes, hashing takes ${figure(capacity.surgeCores)} cores.`,
  ].join('\n')
}

import { line, short, whole } from './describe-load.ts'
import { type Load, loadOf, type Population, utilization } from './load-model.ts'
import { type UnitCosts, unitCostRanges } from './unit-costs.ts'

/** The costs that `npm run bench` measures, as docs/capacity.md names them. */
export function describeGatewayCosts({ gateway, redis }: UnitCosts): string {
  const { least, most } = unitCostRanges()
  const command = '`npm run bench -- --full --only cost --with gatehouse`'
  return [
    line(['', 'measured by the benchmark', 'figure', 'by']),
    line(['---', '---', '---', '---']),
    line([
      '`G`',
      'a proxied request at the gateway, one token in ten not seen before',
      `${whole(gateway.requestUs)} µs (rounds of ${whole(least)} to ${whole(most)})`,
      command,
    ]),
    line([
      '`R`',
      'its part of Redis',
      `${short(redis.requestUs)} µs, ${redis.roundTripsPerRequest.toFixed(2)} round trips`,
      'the same',
    ]),
  ].join('\n')
}

type Value = (load: Load, people: number) => number

const surgeSeconds = 600

const rowsOf = (costs: UnitCosts): [name: string, value: Value, formula: string][] => [
  ['requests a second, `q`', (load) => load.requestsPerSecond, '`A / 10`'],
  ['gateways, one core each', (load) => load.gateways, '`q × G / 0.6`, at least 3'],
  ['refreshes a second', (load) => load.refreshesPerSecond, '`A / 900`'],
  ['logins a second', (load) => load.loginsPerSecond, '`A / 28,800`'],
  ['origin cores for hashing', (load) => load.hashingCores, '`logins × H / 0.6`'],
  [
    '... if all log in within ten minutes',
    (_, people) => (people * costs.origin.loginUs) / 1e6 / surgeSeconds,
    '`A × H / 600`: more than that is shed, 503, and tried again',
  ],
  ['origin cores for refreshes', (load) => load.refreshCores, '`refreshes × O / 0.6`'],
  ['origin cores for profiles', (load) => load.profileCores, '`0.05 × q × M / 0.6`'],
  [
    'Postgres statements a second',
    (load) => load.statementsPerSecond,
    '`0.05 × q + refreshes + 10 × logins`',
  ],
  [
    'Postgres cores',
    (load) => load.postgresCores,
    'profiles, refreshes and logins, each by its cost, `/ 0.6`',
  ],
  ['Redis, busy cores', (load) => load.redisCores * utilization, '`q × R`; one server has one'],
  [
    'cores in all',
    (load) =>
      load.gateways +
      load.hashingCores +
      load.refreshCores +
      load.profileCores +
      load.postgresCores +
      load.redisCores,
    'beside your own services',
  ],
]

/** Two figures that count. */
const cell = (value: number) =>
  value >= 10 || Number.isInteger(value) ? whole(value) : value.toPrecision(2).replace(/\.0$/, '')

/** Machines for each number of people at work, with their formulas. */
export function describeMachines(peopleAtWork: readonly number[], costs: UnitCosts): string {
  const loads = peopleAtWork.map((people) => loadOf({ users: people, atWork: 1 } satisfies Population, costs))
  return [
    line(['people at work, `A`', ...peopleAtWork.map(whole), 'formula']),
    line(['---', ...peopleAtWork.map(() => '---'), '---']),
    ...rowsOf(costs).map(([name, value, formula]) =>
      line([name, ...loads.map((load, index) => cell(value(load, peopleAtWork[index] as number))), formula]),
    ),
  ].join('\n')
}

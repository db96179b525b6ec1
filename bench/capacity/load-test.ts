import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shareOf } from '../../k6/client/mix.ts'
import { productionHashCost } from '../../k6/command-line.ts'
import { servedRate } from '../../k6/hundred-thousand/served-rate.ts'
import { line, whole } from './describe-load.ts'
import type { UnitCosts } from './unit-costs.ts'

/** A run of `npm run k6 -- hundred-thousand`: processor time of each part per served request. */
export interface LoadTest {
  rate: number
  users: number
  seconds: number
  isKept: boolean
  hashCost: number
  us: Record<string, number>
}

const report = join(import.meta.dirname, '../../k6/results/hundred-thousand.jsonl')

/** @returns undefined where no run is kept */
export function readLoadTest(file = report): LoadTest | undefined {
  if (!existsSync(file)) return undefined
  const [run] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row))
    .filter(({ part }) => part === 'run')
  if (!run) throw new Error(`${file} has no run`)
  const parts: { name: string; cores: number }[] = run.parts
  const served = servedRate(run)
  return {
    rate: run.rate,
    users: run.users,
    seconds: run.seconds,
    isKept: run.code === 0,
    hashCost: Number(run.facts.PASSWORD_HASH_COST ?? 10),
    us: Object.fromEntries(parts.map(({ name, cores }) => [name, (cores * 1e6) / served])),
  }
}

const introduction = `## Compared with a load test

\`npm run k6 -- hundred-thousand\` sends the whole mix of requests to one gateway; the origin, PostgreSQL, Redis
and the load generator run [on the same cores](../k6/README.md#100000-users-at-10000-requests-a-second). The
table compares its [report](../k6/results/hundred-thousand.md) with the unit costs above. Both columns hash
passwords with the bcrypt cost of the load test.
`

/**
 * The unit costs of this page beside those of a load test. Each step of bcrypt's cost doubles the
 * processor time of a login; the unit costs have that of production.
 */
export function describeLoadTest(run: LoadTest, costs: UnitCosts): string {
  const loginUs = costs.origin.loginUs / 2 ** (productionHashCost - run.hashCost)
  const { postgres } = costs
  const modelled: [string, number, string][] = [
    ['gateway', costs.gateway.requestUs, 'gateway 1'],
    [
      'origin',
      shareOf('me') * costs.origin.profileUs +
        shareOf('refresh') * costs.origin.refreshUs +
        shareOf('login') * loginUs,
      'origin',
    ],
    [
      'PostgreSQL',
      shareOf('me') * postgres.profileUs +
        shareOf('refresh') * postgres.refreshUs +
        shareOf('login') * postgres.loginUs,
      'postgres',
    ],
    ['Redis', costs.redis.requestUs, 'redis'],
  ]
  return [
    introduction,
    line([
      `${whole(run.users)} users, ${whole(run.rate)} requests/s, ${run.seconds} s: ${run.isKept ? 'every promise kept' : 'not every promise kept'}`,
      'model, µs a request',
      'measured',
    ]),
    line(['---', '---', '---']),
    ...modelled.map(([name, us, part]) =>
      line([name, us.toFixed(1), (run.us[part] ?? Number.NaN).toFixed(1)]),
    ),
  ].join('\n')
}

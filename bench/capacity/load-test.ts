import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shareOf } from '../../k6/client/mix.ts'
import { line, whole } from './describe-load.ts'
import type { UnitCosts } from './unit-costs.ts'

/** A run of `npm run k6 -- hundred-thousand`: processor time of each part, a request. */
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
  return {
    rate: run.rate,
    users: run.users,
    seconds: run.seconds,
    isKept: run.code === 0,
    hashCost: Number(run.facts.PASSWORD_HASH_COST ?? 10),
    us: Object.fromEntries(parts.map(({ name, cores }) => [name, (cores * 1e6) / run.rate])),
  }
}

/** Each step of bcrypt's cost doubles a login; this page reckons with production's. */
const productionHashCost = 12

const introduction = `## Held against a run of everything at once

\`npm run k6 -- hundred-thousand\` sends the whole mix to one gateway, with origin, PostgreSQL, Redis and the
generator of the load [on the same cores](../k6/README.md#100000-users-at-10000-requests-a-second). This is
its [report](../k6/results/hundred-thousand.md). There a login costs what the
scenario's bcrypt does, in the model's column too.
`

/** Costs that the model reckons with beside those that a run of everything at once has met. */
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

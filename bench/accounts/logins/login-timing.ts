import { availableParallelism } from 'node:os'
import { figure } from '../../common/report.ts'
import { compare, median, percentile } from '../../common/statistics.ts'
import type { BenchPart } from '../environment/part.ts'
import { addAccounts, address, hashPassword, lockAccounts, openDatabase } from '../environment/seed.ts'
import { withOrigin } from '../environment/start-origin.ts'

/**
 * The lowest cost of a configuration, and one at which the rest of a login is visible beside the
 * hash.
 */
const costs = [10, 4]
const sizes = { short: { samples: 200 }, full: { samples: 1000 } }
const warmUps = 10

const arms = {
  'unknown account': 'u',
  'wrong password': 'w',
  'locked account': 'k',
} as const
type Arm = keyof typeof arms
const armNames = Object.keys(arms) as Arm[]

/**
 * SECURITY 8: unknown, wrong and locked logins take the same time. The bench sends one request at a
 * time, in mixed order.
 */
export const loginTimingBench: BenchPart = async ({ server, secrets, isFull, report }) => {
  const { samples } = isFull ? sizes.full : sizes.short
  const threads = availableParallelism()
  const medians: (string | number)[][] = []
  const tests: (string | number)[][] = []

  for (const cost of costs) {
    const databaseUrl = await server.createDatabase(`bench_timing_${cost}`)
    const sql = await openDatabase(databaseUrl)
    const passwordHash = await hashPassword(Buffer.from(secrets.PASSWORD_DIGEST_KEY, 'base64'), cost)
    const count = samples + warmUps
    await addAccounts(sql, { prefix: arms['wrong password'], count, passwordHash })
    await lockAccounts(sql, await addAccounts(sql, { prefix: arms['locked account'], count, passwordHash }))
    await sql`vacuum analyze`
    await sql.end()

    const times: Record<Arm, number[]> = { 'unknown account': [], 'wrong password': [], 'locked account': [] }
    await withOrigin({ databaseUrl, secrets, cost, threads }, async (origin) => {
      for (let number = 0; number < count; number++) {
        for (const arm of shuffled(armNames)) {
          // Every account is tried once, so that none is locked by the bench itself.
          const { status, ms } = await origin.login(address(arms[arm], number), 'not the right password')
          if (status !== 401) throw new Error(`A login answered ${status}: the bench is wrong.`)
          if (number < warmUps) continue
          times[arm].push(ms)
          report.raw({ part: 'login-timing', cost, arm, ms })
        }
      }
    })

    for (const arm of armNames) {
      const quartiles = [0.25, 0.75].map((share) => figure(percentile(times[arm], share))).join('-')
      medians.push([cost, arm, figure(median(times[arm])), quartiles, figure(percentile(times[arm], 0.99))])
    }
    for (const [one, other] of [
      ['wrong password', 'unknown account'],
      ['locked account', 'unknown account'],
      ['wrong password', 'locked account'],
    ] as const) {
      const { shift, p } = compare(times[one], times[other])
      tests.push([cost, `${one} - ${other}`, figure(shift), p < 0.0001 ? '< 0.0001' : p.toFixed(4)])
    }
  }

  report.heading('Login timing')
  report.text(
    `${samples} refused logins of each kind at each cost, one at a time, interleaved; milliseconds.\n`,
  )
  report.table([['cost', 'refused for', 'median', 'quartiles', 'p99'], ...medians])
  report.text(
    '\nMann-Whitney, two-sided: p is the probability of a difference like this by chance, the shift its size in milliseconds.\n',
  )
  report.table([['cost', 'pair', 'shift', 'p'], ...tests])
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item)
}

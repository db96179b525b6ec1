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

/** Prefixes of addresses, all of one length. */
const arms = {
  'unknown account': 'u',
  'wrong password': 'w',
  'locked account': 'k',
}

const end = `$${'A'.repeat(22)}$${'A'.repeat(43)}`

/** Hashes of other systems, of a third of the work of a native one, and of nearly all of it. */
const foreignArms = {
  'wrong, imported bcrypt': { prefix: 'b', hash: `$2b$10$${'a'.repeat(53)}` },
  'wrong, imported argon2id': { prefix: 'a', hash: `$argon2id$v=19$m=8192,t=2,p=1${end}` },
  'wrong, imported scrypt': { prefix: 's', hash: `$scrypt$ln=14,r=8,p=1${end}` },
  'wrong, imported PBKDF2': { prefix: 'p', hash: `$pbkdf2-sha256$i=100000${end}` },
}

/** They take longer than a native hash of a lower cost. */
const foreignCost = 10

/**
 * SECURITY 8 and 88: unknown, wrong, locked and imported logins take the same time. The bench sends
 * one request at a time, in mixed order.
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
    const prefixes = new Map<string, string>(Object.entries(arms))
    for (const [arm, { prefix, hash }] of cost === foreignCost ? Object.entries(foreignArms) : []) {
      await addAccounts(sql, { prefix, count, passwordHash: `foreign:${hash}` })
      prefixes.set(arm, prefix)
    }
    await sql`vacuum analyze`
    await sql.end()

    const times = new Map([...prefixes.keys()].map((arm) => [arm, [] as number[]]))
    const timesOf = (arm: string) => times.get(arm) ?? []
    await withOrigin({ databaseUrl, secrets, cost, threads }, async (origin) => {
      for (let number = 0; number < count; number++) {
        for (const [arm, prefix] of shuffled([...prefixes])) {
          // Every account is tried once, so that none is locked by the bench itself.
          const { status, ms } = await origin.login(address(prefix, number), 'not the right password')
          if (status !== 401) throw new Error(`A login answered ${status}: the bench is wrong.`)
          if (number < warmUps) continue
          timesOf(arm).push(ms)
          report.raw({ part: 'login-timing', cost, arm, ms })
        }
      }
    })

    for (const arm of prefixes.keys()) {
      const quartiles = [0.25, 0.75].map((share) => figure(percentile(timesOf(arm), share))).join('-')
      medians.push([
        cost,
        arm,
        figure(median(timesOf(arm))),
        quartiles,
        figure(percentile(timesOf(arm), 0.99)),
      ])
    }
    const others = [...prefixes.keys()].filter((arm) => arm !== 'unknown account')
    for (const [one, other] of [
      ...others.map((arm) => [arm, 'unknown account'] as const),
      ['wrong password', 'locked account'] as const,
    ]) {
      const { shift, p } = compare(timesOf(one), timesOf(other))
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

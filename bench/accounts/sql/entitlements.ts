import { deepStrictEqual } from 'node:assert'
import { selectEntitlements } from '../../../origin/entitlements/queries.ts'
import type { BenchPart } from '../environment/part.ts'
import { addAccounts, openDatabase } from '../environment/seed.ts'
import { compareForms } from './compare-forms.ts'
import { selectEntitlementsPlainly } from './plain-entitlements.ts'

const clientCounts = [1, 8, 32]
const sizes = {
  short: { accounts: 5000, rounds: 3, roundMs: 500 },
  full: { accounts: 100_000, rounds: 9, roundMs: 3000 },
}

/** A round never reads more, so that a machine of any speed takes bounded time. */
const maxReads = 200_000

/**
 * Entitlements of an account, read at every login and refresh: in one query, and in one query each.
 */
export const entitlementsBench: BenchPart = async ({ server, isFull, report }) => {
  const { accounts, rounds, roundMs } = isFull ? sizes.full : sizes.short
  const sql = await openDatabase(await server.createDatabase('bench_entitlements'))
  const userIds = await addAccounts(sql, { prefix: 'e', count: accounts, passwordHash: 'none' })
  await sql`vacuum analyze`

  const read = { 'one query (ours)': selectEntitlements, 'plain: 6 queries': selectEntitlementsPlainly }
  const [someone = ''] = userIds
  deepStrictEqual(await selectEntitlementsPlainly(sql, someone), {
    ...(await selectEntitlements(sql, someone)),
  })

  let turn = 0
  report.heading('Entitlements')
  report.text(
    `Medians of ${rounds} interleaved rounds of ${roundMs} ms over ${accounts} accounts (lowest-highest); processor time of ` +
      'this process and of the whole server, microseconds a read.\n',
  )
  await compareForms({
    part: 'entitlements',
    forms: Object.fromEntries(
      Object.entries(read).map(([name, select]) => [
        name,
        () => select(sql, userIds[turn++ % accounts] as string),
      ]),
    ),
    unit: 'read',
    clientCounts,
    rounds,
    roundMs,
    maxCount: maxReads,
    postgresPid: server.pid,
    report,
  })
  await sql.end()
}

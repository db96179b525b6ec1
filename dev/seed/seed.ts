import type { Sql } from '../../origin/db/types.ts'
import {
  chooseMissing,
  insertAccounts,
  insertAuditLogs,
  insertRateLimitLogs,
  insertSessions,
  insertSubscriptions,
  makeAuditPartitions,
  type Range,
  refreshViews,
} from './queries.ts'
import { createDraws } from './seed-functions.ts'

/**
 * Large enough that a statement's fixed cost does not show, small enough that an interrupted run
 * loses seconds.
 */
const batchUsers = 10_000

interface SeedOptions {
  /** Accounts u1 to u<users> are there afterwards. */
  users: number
  /** The one that all of them have: a hash for each would take longer than all the rest. */
  passwordHash: string
  /** Told how far it is. */
  say: (line: string) => void
}

/** Adds the accounts that are missing, 10,000 in a transaction. @returns how many it added */
export async function seedUsers(sql: Sql, { users, passwordHash, say }: SeedOptions): Promise<number> {
  await makeAuditPartitions(sql)
  let added = 0
  for (let first = 1; first <= users; first += batchUsers) {
    const range = { first, last: Math.min(first + batchUsers - 1, users) }
    const elapsed = stopwatch()
    const count = await seedBatch(sql, range, passwordHash)
    added += count
    say(`users ${range.first} to ${range.last}: ${count} added, ${elapsed()}`)
  }
  if (added === 0) return added

  const vacuuming = stopwatch()
  await sql`vacuum (analyze)`
  say(`statistics: ${vacuuming()}`)
  const refreshing = stopwatch()
  await refreshViews(sql)
  await sql`analyze mv_users_with_subscription, mv_user_permissions, mv_user_features`
  say(`materialized views: ${refreshing()}`)
  return added
}

function seedBatch(sql: Sql, range: Range, passwordHash: string): Promise<number> {
  return sql.begin(async (transaction) => {
    await createDraws(transaction)
    // Compiling these statements takes longer than running them.
    await transaction`set local jit = off`
    await transaction`set local work_mem = '64MB'`
    const count = await chooseMissing(transaction, range)
    if (count === 0) return count
    await insertAccounts(transaction, passwordHash)
    await insertSubscriptions(transaction)
    await insertSessions(transaction)
    await insertAuditLogs(transaction)
    await insertRateLimitLogs(transaction)
    return count
  })
}

/** @returns what says how long ago this was */
function stopwatch(): () => string {
  const startedAt = performance.now()
  return () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
}

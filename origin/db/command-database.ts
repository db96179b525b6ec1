import { closeSeconds } from './database.ts'
import { requireUsableSchema } from './migrate.ts'
import { requireReachable } from './require-reachable.ts'
import type { Sql } from './types.ts'

/**
 * Does the work of a command on its database, and closes it.
 *
 * @throws CommandError where the schema is not one that this code runs on, as before
 *   `npm run migrate`
 * @throws UnavailableError where the database cannot be reached
 */
export async function withDatabase(sql: Sql, work: (sql: Sql) => Promise<void>): Promise<void> {
  try {
    await requireReachable(async () => {
      await requireUsableSchema(sql)
      await work(sql)
    })
  } finally {
    await sql.end({ timeout: closeSeconds })
  }
}

import { closeSeconds } from './database.ts'
import { requireUsableSchema } from './migrate.ts'
import { requireReachable } from './require-reachable.ts'
import type { Sql } from './types.ts'

/**
 * Runs a command's work on its database and closes the connection.
 *
 * @throws CommandError where this code does not run on the schema, as before `npm run migrate`
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

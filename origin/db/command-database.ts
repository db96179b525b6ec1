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
export async function withDatabase<Result>(sql: Sql, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  try {
    return await requireReachable(async () => {
      await requireUsableSchema(sql)
      return work(sql)
    })
  } finally {
    await sql.end({ timeout: closeSeconds })
  }
}

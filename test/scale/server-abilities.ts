import postgres, { type Sql } from 'postgres'
import { inject } from 'vitest'

/**
 * Whether the tests' server counts statements, and lets us see the count: one of TEST_DATABASE_URL
 * may not.
 */
export const countsStatements = () => succeeds((sql) => sql`select from pg_stat_statements limit 1`)

/**
 * Whether we may have it tell us how it carries statements out: one of TEST_DATABASE_URL may have a
 * superuser for that.
 */
export const explainsStatements = () =>
  succeeds(async (sql) => {
    await sql`load 'auto_explain'`
    await sql`set auto_explain.log_min_duration = 0`
  })

async function succeeds(work: (sql: Sql) => Promise<unknown>): Promise<boolean> {
  const sql = postgres(inject('postgresUrl'), { max: 1 })
  try {
    await work(sql)
    return true
  } catch (error) {
    if (error instanceof postgres.PostgresError) return false
    throw error
  } finally {
    await sql.end()
  }
}

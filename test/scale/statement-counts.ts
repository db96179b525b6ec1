import postgres, { type Sql } from 'postgres'
import { inject } from 'vitest'

/** Counts the statements of one database, from a connection to another. */
export function createStatementCounts(databaseUrl: string) {
  const sql: Sql = postgres(inject('postgresUrl'), { max: 1 })
  const database = new URL(databaseUrl).pathname.slice(1)

  async function read(): Promise<Map<string, number>> {
    const rows = await sql<{ query: string; calls: number }[]>`
      select query, sum(calls)::int as calls from pg_stat_statements
      where dbid = (select oid from pg_database where datname = ${database}) and toplevel
      group by query`
    return new Map(rows.map(({ query, calls }) => [query.replaceAll(/\s+/g, ' ').trim(), calls]))
  }

  return {
    /** Statements that ran meanwhile, as the server normalizes them, and how often. */
    async during(work: () => Promise<unknown>): Promise<Map<string, number>> {
      const before = await read()
      await work()
      const after = await read()
      const rises = [...after].map(([query, calls]) => [query, calls - (before.get(query) ?? 0)] as const)
      return new Map(rises.filter(([, calls]) => calls > 0))
    },
    close: () => sql.end(),
  }
}

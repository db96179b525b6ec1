import { CommandError } from '../../shared/node/cli.ts'
import type { Queryable, Sql } from './types.ts'

/** `create index if not exists` at the start of a line: the table may be in use. */
const form = /^create (unique )?index if not exists (\w+) on (\w+) ([^;]+);/gm

interface Index {
  name: string
  table: string
  /** The statement that builds the index without blocking writes to the table. */
  statement: string
}

/** The indexes that migrations add by `create index if not exists`. */
export function indexesOf(script: string): Index[] {
  return [...script.matchAll(form)].map(([, unique = '', name = '', table = '', rest = '']) => ({
    name,
    table,
    statement: `create ${unique}index concurrently if not exists ${name} on ${table} ${rest}`,
  }))
}

/**
 * Builds indexes of existing tables concurrently, which no transaction can. The migration itself
 * then finds them. A build that failed or was cut off leaves an invalid index, which is replaced.
 *
 * The caller holds the lock of migrations in a transaction that is idle meanwhile: a concurrent
 * build waits for every transaction with a snapshot.
 *
 * @throws CommandError where an index cannot be built
 */
export async function buildIndexes(sql: Sql, indexes: readonly Index[]): Promise<void> {
  for (const { name, table, statement } of indexes) {
    try {
      const [found] = await sql<[{ buildable: boolean; valid: boolean | null }]>`
        select
          exists (select from pg_class where oid = to_regclass(${table}) and relkind in ('r', 'm')) as buildable,
          (select indisvalid from pg_index where indexrelid = to_regclass(${name})) as valid`
      if (!found.buildable || found.valid) continue
      if (found.valid === false) await sql`drop index concurrently ${sql(name)}`
      await sql.unsafe(statement)
    } catch (error) {
      throw new CommandError(`The index ${name} was not built, and no migration was applied: ${error}`, {
        cause: error,
      })
    }
  }
}

/** PGlite has one backend: a second connection would wait for the transaction of the first. */
export async function hasOneBackend(sql: Queryable): Promise<boolean> {
  const [row] = await sql<[{ single: boolean }]>`select version() like '%PGlite%' as single`
  return row.single
}

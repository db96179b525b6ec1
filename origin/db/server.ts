import { CommandError } from '../../shared/node/cli.ts'
import type { Queryable } from './types.ts'

/** Facts that decide whether a server and a database can keep accounts. */
export interface DatabaseServer {
  /** As `server_version_num`: 150004 is 15.4. */
  version: number
  encoding: string
  synchronousCommit: string
  /** Materialized views that the user may not refresh. */
  foreignViews: string[]
  /** Tables whose rows the user may not read and write. */
  foreignTables: string[]
}

const oldestVersion = 150_000

/** @returns undefined for a server that fits */
export function reasonAgainst(server: DatabaseServer): string | undefined {
  const { version, encoding, synchronousCommit, foreignViews, foreignTables } = server
  if (version < oldestVersion)
    return `The database is PostgreSQL ${Math.floor(version / 10_000)}: 15 or newer is needed`
  if (encoding !== 'UTF8')
    return `The database has the encoding ${encoding}, and names need UTF8: restore it into one created with encoding 'UTF8'`
  if (synchronousCommit === 'off')
    return 'The database has synchronous_commit off, and a crash would undo logouts and lockouts: set it to on'
  if (foreignViews.length > 0)
    return `The user of DATABASE_URL cannot refresh the views ${foreignViews.join(', ')}: run npm run migrate as their owner`
  if (foreignTables.length > 0)
    return `The user of DATABASE_URL cannot read and write ${foreignTables.join(', ')}: run npm run database:roles, or make it a member of their owner`
  return undefined
}

async function selectServer(sql: Queryable): Promise<DatabaseServer> {
  const [row] = await sql<[DatabaseServer]>`
    select
      current_setting('server_version_num')::integer as version,
      pg_encoding_to_char(encoding) as encoding,
      current_setting('synchronous_commit') as "synchronousCommit",
      array(
        select matviewname::text from pg_matviews
        where schemaname = current_schema() and not pg_has_role(
          -- The function runs as its owner.
          coalesce((select proowner from pg_proc where oid = to_regprocedure('refresh_views()') and prosecdef), to_regrole(quote_ident(current_user))),
          matviewowner, 'USAGE'
        )
        order by matviewname
      ) as "foreignViews",
      array(
        select relname::text from pg_class
        where relnamespace = to_regnamespace(quote_ident(current_schema())) and relkind in ('r', 'p') and not relispartition
          -- Tables of extensions have other owners, and services do not write them.
          and relowner = (select relowner from pg_class where oid = to_regclass('schema_migrations'))
          and not (
            has_table_privilege(oid, 'SELECT') and has_table_privilege(oid, 'INSERT')
            and has_table_privilege(oid, 'UPDATE') and has_table_privilege(oid, 'DELETE')
          )
        order by relname
      ) as "foreignTables"
    from pg_database where datname = current_database()`
  return row
}

/** @throws CommandError where the server or the database cannot be used, with the reason */
export async function requireSuitableServer(sql: Queryable): Promise<void> {
  const reason = reasonAgainst(await selectServer(sql))
  if (reason !== undefined) throw new CommandError(reason)
}

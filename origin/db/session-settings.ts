import { isDatabaseUnavailable } from './failures.ts'
import type { Queryable, Sql } from './types.ts'

/**
 * Settings that the origin and its driver rely on, over those of server, database and role.
 * PgBouncer keeps these three for each of its clients, and takes them at the start of a session.
 */
const trackedSettings = {
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  standard_conforming_strings: 'on',
} as const

const otherSettings = {
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  default_transaction_isolation: 'read committed',
} as const

interface Timeouts {
  statementSeconds: number
  lockSeconds: number
}

/** Parameters of a session, sent as it starts. */
export function sessionSettings({ statementSeconds, lockSeconds }: Timeouts, isPooled: boolean) {
  if (isPooled) return trackedSettings
  return {
    ...trackedSettings,
    ...otherSettings,
    statement_timeout: statementSeconds * 1000,
    lock_timeout: lockSeconds * 1000,
    // A process that pauses in a transaction keeps its locks no longer than a statement.
    idle_in_transaction_session_timeout: statementSeconds * 1000,
  }
}

/**
 * Sessions behind a pooler in transaction mode are shared, and take these from the role. The origin
 * ends a statement by leaving, at its own deadline; `client_connection_check_interval` has the
 * server notice. `statement_timeout` is above the longest, that of upkeep: where the origin leaves
 * first, the session ends, and the lock of the job with it.
 */
const roleSettings = {
  ...otherSettings,
  statement_timeout: '20min',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '30s',
  client_connection_check_interval: '2s',
}

/**
 * For sessions that begin from now on. A role may do so for itself.
 *
 * @returns whether the role had other settings
 */
export async function setRoleSettings(sql: Queryable): Promise<boolean> {
  const before = await selectRoleSettings(sql)
  for (const [name, value] of Object.entries(roleSettings)) {
    const [statement] = await sql<[{ text: string }]>`
      select format('alter role %I in database %I set %I = %L', current_user, current_database(), ${name}::text, ${value}::text) as text`
    await sql.unsafe(statement.text)
  }
  return before !== (await selectRoleSettings(sql))
}

async function selectRoleSettings(sql: Queryable): Promise<string> {
  const [row] = await sql<[{ settings: string }]>`
    select coalesce(string_agg(setting, ',' order by setting), '') as settings
    from pg_db_role_setting, unnest(setconfig) setting
    where setdatabase = (select oid from pg_database where datname = current_database())
      and setrole = (select oid from pg_roles where rolname = current_user)`
  return row.settings
}

/**
 * Ends the idle sessions of Gatehouse in this database, its own last: a pooler opens others, which
 * have the settings of the role.
 */
export async function renewPooledSessions(sql: Sql): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where usename = current_user and datname = current_database() and state = 'idle'
      and application_name = current_setting('application_name') and pid <> pg_backend_pid()`
  await sql`select pg_terminate_backend(pg_backend_pid())`.catch((error) => {
    if (!isDatabaseUnavailable(error)) throw error
  })
}

/** Settings that must not be 0, which is no limit. */
const timeouts = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'client_connection_check_interval',
]

/**
 * Behind a pooler in transaction mode a session has the settings of its role, or of its client
 * before.
 *
 * @returns undefined where the session can be used
 */
export async function reasonAgainstSession(sql: Sql): Promise<string | undefined> {
  const isPooled = !sql.options.prepare
  if (!isPooled) return undefined
  const rows = await sql<{ name: string; value: string; unlimited: boolean }[]>`
    select name, current_setting(name) as value, setting = '0' as unlimited
    from pg_settings where name = any(${Object.keys(roleSettings)})`
  const wrong = rows.filter(({ name, value, unlimited }) =>
    timeouts.includes(name) ? unlimited : value !== otherSettings[name as keyof typeof otherSettings],
  )
  if (wrong.length === 0) return undefined
  const settings = wrong.map(({ name, value }) => `${name} ${value}`).sort()
  return `Sessions behind the pooler have ${settings.join(', ')}: run npm run migrate through the pooler with the same user, then RECONNECT in the console of the pooler`
}

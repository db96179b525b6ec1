import type { Queryable } from './types.ts'

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

/** For sessions that begin from now on. A role may do so for itself. */
export async function setRoleSettings(sql: Queryable): Promise<void> {
  for (const [name, value] of Object.entries(roleSettings)) {
    const [statement] = await sql<[{ text: string }]>`
      select format('alter role %I in database %I set %I = %L', current_user, current_database(), ${name}::text, ${value}::text) as text`
    await sql.unsafe(statement.text)
  }
}

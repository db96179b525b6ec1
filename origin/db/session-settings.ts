/**
 * Settings that the origin and its driver rely on, over those of server, database and role.
 * PgBouncer keeps these three for each of its clients, and takes them at the start of a session.
 */
const trackedSettings = {
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  standard_conforming_strings: 'on',
} as const

/** How values are printed, and how transactions see each other. */
export const valueSettings = {
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
    ...valueSettings,
    statement_timeout: statementSeconds * 1000,
    lock_timeout: lockSeconds * 1000,
    // A process that pauses in a transaction keeps its locks no longer than a statement.
    idle_in_transaction_session_timeout: statementSeconds * 1000,
  }
}

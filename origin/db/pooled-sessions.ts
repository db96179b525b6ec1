import { setTimeout as sleep } from 'node:timers/promises'
import { isDatabaseUnavailable } from './failures.ts'
import { valueSettings } from './session-settings.ts'
import type { Queryable, Sql } from './types.ts'

/**
 * Sessions behind a pooler in transaction mode are shared, and take these from the role. The origin
 * ends a statement by leaving, at its own deadline; `client_connection_check_interval` has the
 * server notice. `statement_timeout` is above the longest, that of upkeep: where the origin leaves
 * first, the session ends, and the lock of the job with it.
 */
const roleSettings = {
  ...valueSettings,
  statement_timeout: '20min',
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '30s',
  client_connection_check_interval: '2s',
}

/** Settings that must not be 0, which is no limit. */
const timeouts = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'client_connection_check_interval',
]

/** How long sessions with old settings may stay busy until their renewal is given up. */
const renewalMs = 5000
const renewalPollMs = 50

/**
 * A pooler hands out the session that was used last, so that one that is idle for longer has no
 * client.
 */
const unusedMs = 500

/**
 * For sessions that begin from now on. A role may do so for itself.
 *
 * @param role by default the user of this connection
 * @returns whether the role had other settings
 */
export async function setRoleSettings(sql: Queryable, role: string | null = null): Promise<boolean> {
  const hadAll = await hasRoleSettings(sql)
  for (const [name, value] of Object.entries(roleSettings)) {
    const [statement] = await sql<[{ text: string }]>`
      select format(
        'alter role %I in database %I set %I = %L',
        coalesce(${role}, current_user), current_database(), ${name}::text, ${value}::text
      ) as text`
    await sql.unsafe(statement.text)
  }
  return !hadAll
}

async function hasRoleSettings(sql: Queryable): Promise<boolean> {
  const wanted = Object.entries(roleSettings).map(([name, value]) => `${name}=${value}`)
  const [row] = await sql<[{ complete: boolean }]>`
    select exists (
      select from pg_db_role_setting
      where setdatabase = (select oid from pg_database where datname = current_database())
        and setrole = (select oid from pg_roles where rolname = current_user)
        and setconfig @> ${wanted}::text[]
    ) as complete`
  return row.complete
}

/**
 * Ends the sessions of Gatehouse in this database that began before now: a pooler opens others,
 * which have the settings of the role. Each is ended by a statement of its own, or when it is
 * unused, so that no client loses a statement. One that stays busy for 5 s keeps its settings.
 */
export async function renewPooledSessions(sql: Sql): Promise<void> {
  const [{ now }] = await sql<[{ now: string }]>`select clock_timestamp()::text as now`
  const deadline = performance.now() + renewalMs
  while ((await endOldSessions(sql, now)) > 0 && performance.now() < deadline) await sleep(renewalPollMs)
}

/** @returns how many sessions there were that began before the moment */
async function endOldSessions(sql: Sql, before: string): Promise<number> {
  try {
    const [row] = await sql<[{ old: number }]>`
      select count(
        case when pid = pg_backend_pid() or (state = 'idle' and state_change < clock_timestamp() - ${`${unusedMs} ms`}::interval)
        then pg_terminate_backend(pid) else true end
      )::int as old
      from pg_stat_activity
      where usename = current_user and datname = current_database()
        and application_name = current_setting('application_name') and backend_start < ${before}::timestamptz`
    return row.old
  } catch (error) {
    // Its own was among them.
    if (isDatabaseUnavailable(error)) return 1
    throw error
  }
}

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
    timeouts.includes(name) ? unlimited : value !== valueSettings[name as keyof typeof valueSettings],
  )
  if (wrong.length === 0) return undefined
  const settings = wrong.map(({ name, value }) => `${name} ${value}`).sort()
  return `Sessions behind the pooler have ${settings.join(', ')}: run npm run migrate through the pooler with the same user, then RECONNECT in the console of the pooler`
}

/**
 * As `reasonAgainstSession`, after the end of sessions that are older than the settings of their
 * role: another origin may be migrating at this moment.
 */
export async function reasonAgainstSessions(sql: Sql): Promise<string | undefined> {
  const deadline = performance.now() + renewalMs
  let hasEndedSession = false
  for (;;) {
    try {
      const reason = await reasonAgainstSession(sql)
      if (reason === undefined || performance.now() > deadline || !(await hasRoleSettings(sql))) return reason
      hasEndedSession = true
      await sql`select pg_terminate_backend(pg_backend_pid())`
    } catch (error) {
      // The end of a session may reach the statement after the one that asked for it.
      if (!hasEndedSession || performance.now() > deadline || !isDatabaseUnavailable(error)) throw error
    }
    await sleep(renewalPollMs)
  }
}

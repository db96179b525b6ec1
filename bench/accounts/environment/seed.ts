import { createDatabase } from '../../../origin/db/database.ts'
import { migrate } from '../../../origin/db/migrate.ts'
import type { Sql } from '../../../origin/db/types.ts'
import { hashToken } from '../../../origin/opaque-token.ts'
import { createPasswordHasher } from '../../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../../origin/passwords/worker-pool.ts'
import type { Log } from '../../../shared/lib/log.ts'

export const password = 'correct horse battery'

export const context = { ip: '203.0.113.7', userAgent: 'bench', requestId: 'bench' }

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * The origin's own pool, on a database with the newest schema.
 * @param poolMax by default that of the origin
 */
export async function openDatabase(url: string, poolMax = 50): Promise<Sql> {
  await migrate(url)
  return createDatabase({
    url,
    poolMax,
    idleSeconds: 30,
    connectSeconds: 10,
    statementSeconds: 30,
    log: silentLog,
  })
}

/** One hash for all accounts: making each its own would take longer than the bench. */
export async function hashPassword(digestKey: Uint8Array, cost: number): Promise<string> {
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  try {
    const hasher = await createPasswordHasher({ pool, digestKey, cost })
    return await hasher.hash(password)
  } finally {
    await pool.close()
  }
}

interface Accounts {
  /** Before the number in their addresses. */
  prefix: string
  count: number
  passwordHash: string
}

/** All addresses are of one length, so that none takes longer to read. */
export const address = (prefix: string, number: number) =>
  `${prefix}${String(number).padStart(6, '0')}@example.com`

/** Accounts as registration leaves them. @returns their ids */
export async function addAccounts(sql: Sql, { prefix, count, passwordHash }: Accounts): Promise<string[]> {
  const addresses = Array.from({ length: count }, (_, number) => address(prefix, number))
  const rows = await sql<{ id: string }[]>`
    with added as (
      insert into user_accounts (email, password_hash, role_id)
      select given, ${passwordHash}, (select id from roles where name = 'user') from unnest(${addresses}::text[]) as given
      returning id
    ),
    subscribed as (
      insert into user_subscriptions (user_id, plan_id)
      select id, (select id from subscription_plans where name = 'free') from added
    )
    select id from added`
  return rows.map(({ id }) => id)
}

/** One session for each account, as a login leaves it. */
export async function addSessions(sql: Sql, userIds: string[], refreshTokens: string[]): Promise<void> {
  const hashes = refreshTokens.map((token) => hashToken(token).toString('hex'))
  await sql`
    with opened as (
      insert into sessions (user_id, ip, user_agent, expires_at)
      select id, ${context.ip}, ${context.userAgent}, now() + interval '30 days' from unnest(${userIds}::uuid[]) as id
      returning id, user_id
    ),
    numbered as (select id, user_id, row_number() over () as number from opened)
    insert into tokens (kind, user_id, session_id, token_hash, ip, user_agent, expires_at)
    select 'refresh', user_id, id, decode(hash, 'hex'), ${context.ip}, ${context.userAgent}, now() + interval '7 days'
    from numbered join unnest(${hashes}::text[]) with ordinality as given (hash, number) using (number)`
  await sql`vacuum analyze`
}

/** Locks accounts for strangers, as the last wrong try does. */
export async function lockAccounts(sql: Sql, userIds: string[]): Promise<void> {
  await sql`
    insert into login_counters (address_hash, device_id, tries, window_ends_at, locked_at)
    select sha256(convert_to(lower(email collate "C"), 'UTF8')), '00000000-0000-0000-0000-000000000000', 5, now() + interval '1 day', now()
    from user_accounts where id = any(${userIds}::uuid[])`
}

import type { AuditAction } from '../audit/queries.ts'
import type { Queryable } from '../db/types.ts'
import { type Entitlements, entitlementColumns, entitlementTables } from '../entitlements/queries.ts'
import { publishSessionsOnCommit } from '../revocations/after-commit.ts'
import { atEpochMs } from '../revocations/queries.ts'

export interface ApiKeyRow {
  id: string
  name: string
  hint: string
  permissions: string[]
  networks: string[]
  createdAt: Date
  expiresAt: Date
  lastUsedAt: Date | null
}

const apiKeyColumns = (sql: Queryable) => sql`
  id, name, hint, permissions, networks, created_at as "createdAt", expires_at as "expiresAt",
  last_used_at as "lastUsedAt"`

const isLive = (sql: Queryable) => sql`revoked_at is null and expires_at > now()`

/** Live keys, the newest first. Their number is bounded by API_KEYS_PER_USER. */
export async function selectApiKeys(sql: Queryable, userId: string): Promise<ApiKeyRow[]> {
  return sql<ApiKeyRow[]>`
    select ${apiKeyColumns(sql)} from api_keys
    where user_id = ${userId} and ${isLive(sql)}
    order by created_at desc, id`
}

/**
 * Locks the row of an active account, so that concurrent creations count each other's keys.
 *
 * @returns its address, and the time of the database; undefined where it is gone or disabled
 */
export async function lockOwnerForUpdate(
  sql: Queryable,
  userId: string,
): Promise<{ email: string; now: Date } | undefined> {
  const [row] = await sql<[{ email: string; now: Date }?]>`
    select email, now() as now from user_accounts
    where id = ${userId} and status = 'active'
    for no key update`
  return row
}

interface NewApiKey {
  userId: string
  name: string
  hash: Uint8Array
  hint: string
  permissions: readonly string[]
  networks: readonly string[]
  expiresAt: Date
}

/**
 * Call it with the owner's row locked.
 *
 * @returns undefined where the account has `perUser` live keys
 */
export async function insertApiKey(
  sql: Queryable,
  key: NewApiKey,
  perUser: number,
): Promise<ApiKeyRow | undefined> {
  const [row] = await sql<[ApiKeyRow?]>`
    insert into api_keys (user_id, name, key_hash, hint, permissions, networks, expires_at)
    select ${key.userId}, ${key.name}, ${key.hash}, ${key.hint}, ${key.permissions as string[]}::text[],
      ${key.networks as string[]}::text[], ${key.expiresAt}
    where (select count(*) from api_keys where user_id = ${key.userId} and ${isLive(sql)}) < ${perUser}
    returning ${apiKeyColumns(sql)}`
  return row
}

/**
 * Revokes live keys and their access tokens, in one statement. A token of a key has the key's id as
 * its session, so gateways refuse it like one of a session that ended.
 *
 * @param only the key to revoke; all keys where it is undefined
 * @returns the ids of the keys that were revoked now
 */
export async function revokeApiKeys(sql: Queryable, userId: string, only?: string): Promise<string[]> {
  const rows = await sql<{ subject: string; at: number }[]>`
    with revoked_keys as (
      update api_keys set revoked_at = now()
      where user_id = ${userId} and ${isLive(sql)} and (${only ?? null}::uuid is null or id = ${only ?? null})
      returning id
    ),
    revoked as (
      insert into revocations (scope, subject) select 'session', id from revoked_keys
      returning subject, ${atEpochMs(sql)}
    )
    select subject, at from revoked`
  return publishSessionsOnCommit(sql, rows)
}

export interface ApiKeyWithEntitlements extends Entitlements {
  keyId: string
  userId: string
  keyPermissions: string[]
  networks: string[]
  keySecondsLeft: number
}

/**
 * A live key of an active account, with what its owner may do now.
 *
 * The index compares digests, so the time of a lookup tells nothing of a key.
 */
export async function selectApiKeyByHash(
  sql: Queryable,
  hash: Uint8Array,
): Promise<ApiKeyWithEntitlements | undefined> {
  const [row] = await sql<[ApiKeyWithEntitlements?]>`
    select api_key.id as "keyId", account.id as "userId", api_key.permissions as "keyPermissions",
      api_key.networks, extract(epoch from api_key.expires_at - clock_timestamp())::float8 as "keySecondsLeft",
      ${entitlementColumns(sql)}
    from api_keys api_key
    join user_accounts account on account.id = api_key.user_id ${entitlementTables(sql)}
    where api_key.key_hash = ${hash} and api_key.revoked_at is null and api_key.expires_at > now()
      and account.status = 'active'`
  return row
}

/** A use in a gateway's report. */
interface ApiKeyUse {
  key_id: string
  at: Date
  count: number
}

/**
 * Writes at most once a minute and key. Rows that another gateway's report has locked are skipped:
 * it writes about the same time.
 */
export async function updateLastUsed(sql: Queryable, uses: readonly ApiKeyUse[]): Promise<void> {
  await sql`
    with used as (
      select id, least(at, now()) as at
      from unnest(${uses.map(({ key_id }) => key_id)}::uuid[], ${uses.map(({ at }) => at.toISOString())}::timestamptz[]) as used (id, at)
    ),
    due as (
      select id from api_keys
      where id in (select id from used) and (last_used_at is null or last_used_at < now() - interval '1 minute')
      order by id
      for no key update skip locked
    )
    update api_keys set last_used_at = greatest(last_used_at, used.at)
    from used join due using (id)
    where api_keys.id = used.id`
}

const refusedAction: AuditAction = 'api_key.network_refused'

/** An audit row for each key, with the number of requests. */
export async function insertNetworkRefusals(
  sql: Queryable,
  refused: readonly ApiKeyUse[],
  requestId: string,
): Promise<void> {
  await sql`
    insert into audit_logs (action, user_id, request_id, details)
    select ${refusedAction}, api_keys.user_id, ${requestId},
      jsonb_build_object('key_id', api_keys.id, 'count', refused.count)
    from unnest(${refused.map(({ key_id }) => key_id)}::uuid[], ${refused.map(({ count }) => count)}::int[])
      as refused (id, count)
    join api_keys on api_keys.id = refused.id`
}

import type { PublicJwk } from '../../shared/auth/jwk.ts'
import type { Queryable } from '../db/types.ts'
import type { KeyState } from './rules.ts'

export interface NewKey {
  kid: string
  publicJwk: PublicJwk
  encryptedPrivateJwk: Uint8Array
}

export interface StoredKey extends NewKey {
  state: KeyState
  stateSince: Date
  createdAt: Date
}

/**
 * Tables of keys: those that sign tokens, and those that sign assertions. The same steps move both.
 */
export type KeyTable = 'signing_keys' | 'assertion_keys'

export async function selectKeys(sql: Queryable, table: KeyTable = 'signing_keys'): Promise<StoredKey[]> {
  return sql<StoredKey[]>`
    select kid, state, state_since as "stateSince", created_at as "createdAt", public_jwk as "publicJwk",
      sealed_private_jwk as "encryptedPrivateJwk"
    from ${sql(table)}
    order by created_at`
}

export async function selectNow(sql: Queryable): Promise<Date> {
  const [row] = await sql<[{ now: Date }]>`select now()`
  return row.now
}

/** @returns whether it became the signing key; false where another replica's did */
export async function insertFirstSigningKey(
  sql: Queryable,
  key: NewKey,
  table: KeyTable = 'signing_keys',
): Promise<boolean> {
  const { count } = await sql`
    insert into ${sql(table)} (kid, state, public_jwk, sealed_private_jwk)
    values (${key.kid}, 'signing', ${sql.json(key.publicJwk)}, ${key.encryptedPrivateJwk})
    on conflict (state) where state = 'signing' do nothing`
  return count === 1
}

/**
 * Locks the row of the key that has signed for `forSeconds` until the transaction ends. Another
 * replica waits here, and its next statement sees the change.
 *
 * @returns false where no such key exists
 */
export async function lockSigningKeyForUpdate(
  sql: Queryable,
  table: KeyTable,
  forSeconds: number,
): Promise<boolean> {
  const { count } = await sql`
    select from ${sql(table)}
    where state = 'signing' and state_since <= now() - make_interval(secs => ${forSeconds})
    for update`
  return count === 1
}

/** Call it with the signing key locked. @returns false where a published key exists */
export async function insertPublishedKey(sql: Queryable, table: KeyTable, key: NewKey): Promise<boolean> {
  const { count } = await sql`
    insert into ${sql(table)} (kid, state, public_jwk, sealed_private_jwk)
    select ${key.kid}, 'published', ${sql.json(key.publicJwk)}::jsonb, ${key.encryptedPrivateJwk}::bytea
    where not exists (select from ${sql(table)} where state = 'published')`
  return count === 1
}

/**
 * @returns the kid that retires now; undefined where `successor` has not been published for
 *   `waitSeconds`
 */
export async function retireSigningKey(
  sql: Queryable,
  table: KeyTable,
  { successor, waitSeconds }: { successor: string; waitSeconds: number },
): Promise<string | undefined> {
  const [row] = await sql<{ kid: string }[]>`
    update ${sql(table)} set state = 'retiring', state_since = now()
    where state = 'signing' and exists (
      select from ${sql(table)}
      where kid = ${successor} and state = 'published' and state_since <= now() - make_interval(secs => ${waitSeconds})
    )
    returning kid`
  return row?.kid
}

/**
 * @param kid the key that may sign; without it, the published one, of which there is at most one
 * @returns the kid that signs now; undefined where no key was promoted
 */
export async function promotePublishedKey(
  sql: Queryable,
  table: KeyTable,
  kid?: string,
): Promise<string | undefined> {
  const [row] = await sql<{ kid: string }[]>`
    update ${sql(table)} set state = 'signing', state_since = now()
    where state = 'published' and kid = coalesce(${kid ?? null}, kid)
    returning kid`
  return row?.kid
}

/** @returns false where it has not been retiring for `waitSeconds`, or does not exist */
export async function deleteRetiredKey(
  sql: Queryable,
  table: KeyTable,
  { kid, waitSeconds }: { kid: string; waitSeconds: number },
): Promise<boolean> {
  const { count } = await sql`
    delete from ${sql(table)}
    where kid = ${kid} and state = 'retiring' and state_since <= now() - make_interval(secs => ${waitSeconds})`
  return count === 1
}

/** @returns the former state; undefined where no key of this id is in one of `states` */
export async function deleteKey(
  sql: Queryable,
  table: KeyTable,
  kid: string,
  states: readonly KeyState[],
): Promise<KeyState | undefined> {
  const [row] = await sql<{ state: KeyState }[]>`
    delete from ${sql(table)} where kid = ${kid} and state in ${sql([...states])} returning state`
  return row?.state
}

/** A value encrypted with KEY_ENCRYPTION_KEY, and the name authenticated with it. */
export interface EncryptedRow {
  table: KeyTable | 'mail_outbox' | 'totp_secrets' | 'totp_enrolments'
  id: string
  name: string
  encrypted: Uint8Array
}

/** Selects all encrypted values and locks their rows until the transaction ends. */
export async function lockEncryptedRowsForUpdate(sql: Queryable): Promise<EncryptedRow[]> {
  const keys = await sql<EncryptedRow[]>`
    select 'signing_keys' as table, kid as id, kid as name, sealed_private_jwk as encrypted from signing_keys for update`
  const assertionKeys = await sql<EncryptedRow[]>`
    select 'assertion_keys' as table, kid as id, kid as name, sealed_private_jwk as encrypted from assertion_keys for update`
  const mails = await sql<EncryptedRow[]>`
    select 'mail_outbox' as table, id::text, 'mail_outbox:' || recipient as name, sealed_body as encrypted
    from mail_outbox for update`
  const secrets = await sql<EncryptedRow[]>`
    select 'totp_secrets' as table, user_id::text as id, 'totp_secrets:' || user_id as name,
      encrypted_secret as encrypted
    from totp_secrets for update`
  const enrolments = await sql<EncryptedRow[]>`
    select 'totp_enrolments' as table, user_id::text as id, 'totp_enrolments:' || user_id as name,
      encrypted_secret as encrypted
    from totp_enrolments for update`
  return [...keys, ...assertionKeys, ...mails, ...secrets, ...enrolments]
}

export async function updateEncrypted(sql: Queryable, { table, id, encrypted }: EncryptedRow): Promise<void> {
  if (table === 'signing_keys' || table === 'assertion_keys')
    await sql`update ${sql(table)} set sealed_private_jwk = ${encrypted} where kid = ${id}`
  else if (table === 'mail_outbox')
    await sql`update mail_outbox set sealed_body = ${encrypted} where id = ${id}`
  else if (table === 'totp_secrets')
    await sql`update totp_secrets set encrypted_secret = ${encrypted} where user_id = ${id}`
  else await sql`update totp_enrolments set encrypted_secret = ${encrypted} where user_id = ${id}`
}

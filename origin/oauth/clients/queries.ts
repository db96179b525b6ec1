import type { Queryable } from '../../db/types.ts'

export interface OAuthClient {
  id: string
  secretHash: Uint8Array
  /** null where one secret alone works. */
  previousSecretHash: Uint8Array | null
  scopes: string[]
  disabled: boolean
}

export async function selectClient(sql: Queryable, id: string): Promise<OAuthClient | undefined> {
  const [row] = await sql<[OAuthClient?]>`
    select id, secret_hash as "secretHash", scopes, disabled_at is not null as disabled,
      case when previous_secret_ends_at > now() then previous_secret_hash end as "previousSecretHash"
    from oauth_clients
    where id = ${id}`
  return row
}

export interface ListedClient {
  id: string
  scopes: string[]
  createdAt: Date
  disabledAt: Date | null
  lastUsedAt: Date | null
  secretChangedAt: Date
  previousSecretEndsAt: Date | null
  previousSecretUsedAt: Date | null
}

const listedColumns = (sql: Queryable) => sql`
  id, scopes, created_at as "createdAt", disabled_at as "disabledAt", last_used_at as "lastUsedAt",
  coalesce(secret_changed_at, created_at) as "secretChangedAt",
  case when previous_secret_ends_at > now() then previous_secret_ends_at end as "previousSecretEndsAt",
  case when previous_secret_ends_at > now() then previous_secret_used_at end as "previousSecretUsedAt"`

export async function selectListedClient(sql: Queryable, id: string): Promise<ListedClient | undefined> {
  const [row] = await sql<[ListedClient?]>`select ${listedColumns(sql)} from oauth_clients where id = ${id}`
  return row
}

/** By name; up to `limit + 1`. */
export async function selectClientPage(
  sql: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<ListedClient[]> {
  return sql<ListedClient[]>`
    select ${listedColumns(sql)} from oauth_clients
    where id collate "C" > ${after}
    order by id collate "C"
    limit ${limit + 1}`
}

export async function selectClients(sql: Queryable): Promise<ListedClient[]> {
  return sql<ListedClient[]>`select ${listedColumns(sql)} from oauth_clients order by id collate "C"`
}

/** @returns whether it was inserted; false where the id is taken */
export async function insertClient(
  sql: Queryable,
  client: Pick<OAuthClient, 'id' | 'secretHash' | 'scopes'>,
): Promise<boolean> {
  const rows = await sql`
    insert into oauth_clients (id, secret_hash, scopes)
    values (${client.id}, ${client.secretHash}, ${client.scopes})
    on conflict (id) do nothing
    returning id`
  return rows.length === 1
}

/**
 * Locks the row of a client until the transaction ends, so that the second of two changes sees the
 * first.
 */
export async function lockClientForUpdate(
  sql: Queryable,
  id: string,
): Promise<{ scopes: string[]; disabled: boolean } | undefined> {
  const [row] = await sql<[{ scopes: string[]; disabled: boolean }?]>`
    select scopes, disabled_at is not null as disabled from oauth_clients where id = ${id}
    for no key update`
  return row
}

export async function updateClientScopes(
  sql: Queryable,
  id: string,
  scopes: readonly string[],
): Promise<void> {
  await sql`update oauth_clients set scopes = ${[...scopes]} where id = ${id}`
}

/**
 * The current secret becomes the previous one, with an end; the secret before it is void.
 *
 * @returns the end, null where the previous secret is void at once; undefined where the client does
 * not exist or is disabled
 */
export async function updateClientSecret(
  sql: Queryable,
  { id, secretHash, overlapSeconds }: { id: string; secretHash: Uint8Array; overlapSeconds: number },
): Promise<{ previousEndsAt: Date | null } | undefined> {
  const overlaps = overlapSeconds > 0
  const [row] = await sql<[{ previousEndsAt: Date | null }?]>`
    update oauth_clients set
      secret_hash = ${secretHash},
      secret_changed_at = now(),
      previous_secret_hash = ${overlaps ? sql`secret_hash` : null},
      previous_secret_ends_at = ${overlaps ? sql`now() + make_interval(secs => ${overlapSeconds})` : null},
      previous_secret_used_at = null
    where id = ${id} and disabled_at is null
    returning previous_secret_ends_at as "previousEndsAt"`
  return row
}

/** @returns false where the client has no previous secret that works */
export async function clearPreviousSecret(sql: Queryable, id: string): Promise<boolean> {
  const rows = await sql`
    update oauth_clients
    set previous_secret_hash = null, previous_secret_ends_at = null, previous_secret_used_at = null
    where id = ${id} and previous_secret_ends_at > now()
    returning id`
  return rows.length === 1
}

/** @returns false where the client does not exist or was disabled before */
export async function updateClientDisabled(sql: Queryable, id: string): Promise<boolean> {
  const rows = await sql`
    update oauth_clients set disabled_at = now()
    where id = ${id} and disabled_at is null
    returning id`
  return rows.length === 1
}

/** @returns false where the client does not exist */
export async function deleteClientRow(sql: Queryable, id: string): Promise<boolean> {
  const rows = await sql`delete from oauth_clients where id = ${id} returning id`
  return rows.length === 1
}

/** Notes the time of an authentication, at most once a minute: a busy client causes few writes. */
export async function updateClientLastUsed(
  sql: Queryable,
  id: string,
  secret: 'current' | 'previous',
): Promise<void> {
  await (secret === 'current'
    ? sql`
      update oauth_clients set last_used_at = now()
      where id = ${id} and (last_used_at is null or last_used_at < now() - interval '1 minute')`
    : sql`
      update oauth_clients set last_used_at = now(), previous_secret_used_at = now()
      where id = ${id} and (
        previous_secret_used_at is null or previous_secret_used_at < now() - interval '1 minute'
      )`)
}

import type { Queryable } from '../../db/types.ts'

export interface OAuthClient {
  id: string
  secretHash: Uint8Array
  scopes: string[]
  disabled: boolean
}

export async function selectClient(sql: Queryable, id: string): Promise<OAuthClient | undefined> {
  const [row] = await sql<[OAuthClient?]>`
    select id, secret_hash as "secretHash", scopes, disabled_at is not null as disabled
    from oauth_clients
    where id = ${id}`
  return row
}

interface ListedClient {
  id: string
  scopes: string[]
  createdAt: Date
  disabledAt: Date | null
}

export async function selectClients(sql: Queryable): Promise<ListedClient[]> {
  return sql<ListedClient[]>`
    select id, scopes, created_at as "createdAt", disabled_at as "disabledAt"
    from oauth_clients
    order by id`
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

/** @returns false where the client does not exist or is disabled */
export async function updateClientSecret(
  sql: Queryable,
  id: string,
  secretHash: Uint8Array,
): Promise<boolean> {
  const rows = await sql`
    update oauth_clients set secret_hash = ${secretHash}
    where id = ${id} and disabled_at is null
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

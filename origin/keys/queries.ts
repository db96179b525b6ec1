import type { PublicJwk } from '../../shared/keys.ts'
import type { Sql } from '../database.ts'

export type KeyState = 'published' | 'signing' | 'retiring'

export interface StoredKey {
  kid: string
  state: KeyState
  publicJwk: PublicJwk
  sealedPrivateJwk: Uint8Array
}

export async function selectKeys(sql: Sql): Promise<StoredKey[]> {
  return sql<StoredKey[]>`
    select kid, state, public_jwk as "publicJwk", sealed_private_jwk as "sealedPrivateJwk"
    from signing_keys
    order by created_at`
}

/** @returns whether it became the signing key; false where another replica's key came first */
export async function insertFirstSigningKey(sql: Sql, key: Omit<StoredKey, 'state'>): Promise<boolean> {
  const rows = await sql`
    insert into signing_keys (kid, state, public_jwk, sealed_private_jwk)
    values (${key.kid}, 'signing', ${sql.json(key.publicJwk)}, ${key.sealedPrivateJwk})
    on conflict (state) where state = 'signing' do nothing
    returning kid`
  return rows.length === 1
}

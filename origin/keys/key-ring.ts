import { importKey, type PublicJwk, publicJwkSchema, type SigningKey } from '../../shared/auth/jwk.ts'
import type { Sql } from '../db/types.ts'
import { selectKeys } from './queries.ts'
import type { Sealing } from './sealing.ts'
import { openKey } from './stored-key.ts'

export interface KeyRing {
  signing: () => SigningKey
  /**
   * The public half of every key there is, whatever its state: a gateway knows a key before it
   * signs, and after.
   */
  published: () => readonly PublicJwk[]
  /** Reads the keys anew. What was read before stays where that fails. */
  refresh: () => Promise<void>
}

/**
 * The keys in Postgres, held in memory: signing a token asks no database, least of all inside a
 * transaction, where a full pool would wait for itself.
 *
 * @throws Error where there is no signing key; SealedKeyError where KEY_ENCRYPTION_KEY is not the
 *   one it was sealed with
 */
export async function createKeyRing(sql: Sql, sealing: Sealing): Promise<KeyRing> {
  async function read() {
    const keys = await selectKeys(sql)
    const signing = keys.find(({ state }) => state === 'signing')
    if (!signing) throw new Error('There is no signing key: make one with npm run keys -- create')
    return {
      signing: await importKey(openKey(sealing, signing)),
      published: keys.map(({ publicJwk }) => publicJwkSchema.parse(publicJwk)),
    }
  }

  let ring = await read()
  return {
    signing: () => ring.signing,
    published: () => ring.published,
    async refresh() {
      ring = await read()
    },
  }
}

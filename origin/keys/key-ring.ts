import { importKey, type PublicJwk, publicJwkSchema, type SigningKey } from '../../shared/auth/jwk.ts'
import type { Sql } from '../db/types.ts'
import type { Encryption } from './encryption.ts'
import { selectKeys } from './queries.ts'
import { decryptKey } from './stored-key.ts'

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
 * @throws Error where there is no signing key; KeyDecryptionError where KEY_ENCRYPTION_KEY is not
 * the one it was encrypted with
 */
export async function createKeyRing(sql: Sql, encryption: Encryption): Promise<KeyRing> {
  async function read() {
    const keys = await selectKeys(sql)
    const signing = keys.find(({ state }) => state === 'signing')
    if (!signing) throw new Error('There is no signing key: make one with npm run keys -- create')
    return {
      signing: await importKey(decryptKey(encryption, signing)),
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

import { type PublicJwk, publicJwkSchema, type Signer } from '../../shared/auth/jwk.ts'
import { importNodeSigner } from '../../shared/node/keys.ts'
import type { Sql } from '../db/types.ts'
import type { Encryption } from './encryption.ts'
import { selectKeys } from './queries.ts'
import { decryptKey } from './stored-key.ts'

export interface KeyRing {
  signing: () => Signer
  /**
   * The public part of every key in any state: gateways know a key before and after it signs.
   */
  published: () => readonly PublicJwk[]
  /** Reads the keys again. The ring stays as it was where that fails. */
  refresh: () => Promise<void>
}

/**
 * The keys of Postgres, in memory: signing a token needs no query. Inside a transaction such a
 * query could deadlock a full pool.
 *
 * @throws Error where there is no signing key; KeyDecryptionError where KEY_ENCRYPTION_KEY does not
 * decrypt it
 */
export async function createKeyRing(sql: Sql, encryption: Encryption): Promise<KeyRing> {
  async function read() {
    const keys = await selectKeys(sql)
    const signing = keys.find(({ state }) => state === 'signing')
    if (!signing) throw new Error('There is no signing key: make one with npm run keys -- create')
    return {
      signing: await importNodeSigner(decryptKey(encryption, signing)),
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

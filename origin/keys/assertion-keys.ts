import { encryptForGateway } from '../../shared/auth/assertion-keys.ts'
import { type PrivateJwk, type PublicJwk, publicJwkSchema } from '../../shared/auth/jwk.ts'
import type { Now } from '../../shared/lib/time.ts'
import type { Sql } from '../db/types.ts'
import type { Encryption } from './encryption.ts'
import { selectKeys, selectNow } from './queries.ts'
import type { KeyWaits } from './rules.ts'
import { decryptKey } from './stored-key.ts'

interface AssertionKeysOptions {
  sql: Sql
  encryption: Encryption
  waits: Pick<KeyWaits, 'published'>
  /** The gateways' own public keys, with which they sign while they have no other. */
  gatewayKeys: readonly PublicJwk[]
  now?: Now
}

export type AssertionKeys = Awaited<ReturnType<typeof createAssertionKeys>>

/**
 * The keys of assertions, in memory: their public parts for services, and the one that signs for
 * gateways.
 *
 * @throws KeyDecryptionError where KEY_ENCRYPTION_KEY does not decrypt the key that signs
 */
export async function createAssertionKeys(options: AssertionKeysOptions) {
  const { sql, encryption, waits, gatewayKeys, now = Date.now } = options

  async function read() {
    const keys = await selectKeys(sql, 'assertion_keys')
    const databaseNow = await selectNow(sql)
    const signing = keys.find(({ state }) => state === 'signing')
    // The first key signs from its creation on, and services do not know it yet.
    const isKnown = signing && databaseNow.getTime() - signing.createdAt.getTime() >= waits.published * 1000
    return {
      signing: isKnown ? decryptKey(encryption, signing) : undefined,
      published: keys.map(({ publicJwk }) => publicJwkSchema.parse(publicJwk)),
    }
  }

  let current: { signing: PrivateJwk | undefined; published: readonly PublicJwk[] } = await read()
  return {
    /** Those of every state; without the gateways' own. */
    rotated: () => current.published,

    /** Every key that may have signed an assertion that is still valid. */
    published: () => [...current.published, ...gatewayKeys],

    /** Reads the keys again. They stay as they were where that fails. */
    async refresh() {
      current = await read()
    },

    /**
     * The key that signs, encrypted for the gateway that asks.
     *
     * @returns undefined where no gateway has signed the request, or where services do not know
     *   the key yet
     */
    async encryptFor(request: string): Promise<string | undefined> {
      return current.signing && encryptForGateway(request, current.signing, gatewayKeys, now())
    },
  }
}

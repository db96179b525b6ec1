import {
  generateKey,
  importKey,
  type PublicJwk,
  privateJwkSchema,
  publicJwkSchema,
  type SigningKey,
} from '../../shared/keys.ts'
import type { Sql } from '../database.ts'
import { insertFirstSigningKey, type StoredKey, selectKeys } from './queries.ts'
import type { Sealing } from './sealing.ts'

export interface KeyRing {
  signing: () => SigningKey
  published: () => readonly PublicJwk[]
  /** Reads the keys anew. What was read before stays where that fails. */
  refresh: () => Promise<void>
}

/**
 * The keys in Postgres, held in memory: signing a token asks no database, least of all inside a transaction, where a full pool
 * would wait for itself.
 *
 * @throws Error where there is no signing key, or KEY_ENCRYPTION_KEY is not the one it was sealed with
 */
export async function createKeyRing(sql: Sql, sealing: Sealing): Promise<KeyRing> {
  function open({ kid, sealedPrivateJwk }: StoredKey): string {
    try {
      return sealing.open(kid, sealedPrivateJwk)
    } catch (cause) {
      throw new Error('KEY_ENCRYPTION_KEY does not open the signing key in the database', { cause })
    }
  }

  async function read() {
    const keys = await selectKeys(sql)
    const signing = keys.find(({ state }) => state === 'signing')
    if (!signing) throw new Error('There is no signing key: make one with npm run keys -- create')
    const opened = open(signing)
    return {
      signing: await importKey(privateJwkSchema.parse(JSON.parse(opened))),
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

/**
 * Makes the very first key; later ones come by rotation.
 *
 * @returns its kid, or undefined where there was one already
 */
export async function createFirstKey(sql: Sql, sealing: Sealing): Promise<string | undefined> {
  const { publicJwk, privateJwk } = await generateKey()
  const sealedPrivateJwk = sealing.seal(publicJwk.kid, JSON.stringify(privateJwk))
  const first = await insertFirstSigningKey(sql, { kid: publicJwk.kid, publicJwk, sealedPrivateJwk })
  return first ? publicJwk.kid : undefined
}

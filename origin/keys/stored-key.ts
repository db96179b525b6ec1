import { generateKey, type PrivateJwk, privateJwkSchema } from '../../shared/auth/jwk.ts'
import type { NewKey } from './queries.ts'
import type { Sealing } from './sealing.ts'

/** A key in the database was sealed with another KEY_ENCRYPTION_KEY than ours. */
export class SealedKeyError extends Error {
  constructor(cause: unknown) {
    super('KEY_ENCRYPTION_KEY does not open the signing key in the database', { cause })
    this.name = 'SealedKeyError'
  }
}

type SealedKey = Pick<NewKey, 'kid' | 'sealedPrivateJwk'>

/** @throws SealedKeyError */
export function openKey(sealing: Sealing, { kid, sealedPrivateJwk }: SealedKey): PrivateJwk {
  let opened: string
  try {
    opened = sealing.open(kid, sealedPrivateJwk)
  } catch (cause) {
    throw new SealedKeyError(cause)
  }
  return privateJwkSchema.parse(JSON.parse(opened))
}

export async function newKey(sealing: Sealing): Promise<NewKey> {
  const { publicJwk, privateJwk } = await generateKey()
  return {
    kid: publicJwk.kid,
    publicJwk,
    sealedPrivateJwk: sealing.seal(publicJwk.kid, JSON.stringify(privateJwk)),
  }
}

import { generateKey, type PrivateJwk, privateJwkSchema } from '../../shared/auth/jwk.ts'
import type { Encryption } from './encryption.ts'
import type { NewKey } from './queries.ts'

/** A key in the database was encrypted with another KEY_ENCRYPTION_KEY. */
export class KeyDecryptionError extends Error {
  constructor(cause: unknown) {
    super('KEY_ENCRYPTION_KEY does not decrypt the signing key in the database', { cause })
    this.name = 'KeyDecryptionError'
  }
}

type EncryptedKey = Pick<NewKey, 'kid' | 'encryptedPrivateJwk'>

/** @throws KeyDecryptionError */
export function decryptKey(encryption: Encryption, { kid, encryptedPrivateJwk }: EncryptedKey): PrivateJwk {
  let decrypted: string
  try {
    decrypted = encryption.decrypt(kid, encryptedPrivateJwk)
  } catch (cause) {
    throw new KeyDecryptionError(cause)
  }
  return privateJwkSchema.parse(JSON.parse(decrypted))
}

export async function newKey(encryption: Encryption): Promise<NewKey> {
  const { publicJwk, privateJwk } = await generateKey()
  return {
    kid: publicJwk.kid,
    publicJwk,
    encryptedPrivateJwk: encryption.encrypt(publicJwk.kid, JSON.stringify(privateJwk)),
  }
}

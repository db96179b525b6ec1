import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

/**
 * Encrypts secrets with KEY_ENCRYPTION_KEY (AES-256-GCM: nonce, ciphertext, tag), so that a copy of
 * the database is useless without the key. Synchronous, because transactions must wait for the
 * database only.
 *
 * @param key 32 bytes
 */
export function createEncryption(key: Uint8Array) {
  return {
    /**
     * The name is authenticated with the content: an encrypted value moved to another row does not
     * decrypt.
     */
    encrypt(name: string, secret: string): Uint8Array {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(name))
      return Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },

    /** @throws Error where the key or the name differs, or a byte was changed */
    decrypt(name: string, encrypted: Uint8Array): string {
      const nonce = encrypted.subarray(0, nonceBytes)
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(name))
        .setAuthTag(encrypted.subarray(-tagBytes))
      return (
        decipher.update(encrypted.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      )
    },
  }
}

export type Encryption = ReturnType<typeof createEncryption>

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

/**
 * Seals secrets with KEY_ENCRYPTION_KEY (AES-256-GCM: nonce, ciphertext, tag), so that a copy of
 * the database alone is worth nothing. Synchronous, as it stands inside transactions, which wait
 * for the database alone.
 *
 * @param key 32 bytes
 */
export function createSealing(key: Uint8Array) {
  return {
    /**
     * The name is authenticated with the content: a sealed value moved to another row does not
     * open.
     */
    seal(name: string, secret: string): Uint8Array {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(name))
      return Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },

    /** @throws Error where the key or the name is another one, or a byte was changed */
    open(name: string, sealed: Uint8Array): string {
      const nonce = sealed.subarray(0, nonceBytes)
      const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
        .setAAD(Buffer.from(name))
        .setAuthTag(sealed.subarray(-tagBytes))
      return (
        decipher.update(sealed.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
      )
    },
  }
}

export type Sealing = ReturnType<typeof createSealing>

/** AES-256-GCM: a nonce of 12 random bytes, then the ciphertext with its tag. */
const nonceBytes = 12

/**
 * Seals secrets with KEY_ENCRYPTION_KEY so that a copy of the database alone signs nothing.
 *
 * @param keyBytes 32 bytes
 */
export async function createSealing(keyBytes: Uint8Array<ArrayBuffer>) {
  const key = await crypto.subtle.importKey('raw', keyBytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
  /** The name is authenticated with the content: a sealed value moved to another row does not open. */
  const cipher = (iv: Uint8Array<ArrayBuffer>, name: string) => ({
    name: 'AES-GCM',
    iv,
    additionalData: new TextEncoder().encode(name),
  })

  return {
    async seal(name: string, secret: string): Promise<Uint8Array> {
      const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes))
      const sealed = await crypto.subtle.encrypt(cipher(nonce, name), key, new TextEncoder().encode(secret))
      return new Uint8Array([...nonce, ...new Uint8Array(sealed)])
    },

    /** @throws DOMException where the key is another one, or a byte was changed */
    async open(name: string, sealed: Uint8Array): Promise<string> {
      const bytes = new Uint8Array(sealed)
      const opened = await crypto.subtle.decrypt(
        cipher(bytes.slice(0, nonceBytes), name),
        key,
        bytes.slice(nonceBytes),
      )
      return new TextDecoder().decode(opened)
    },
  }
}

export type Sealing = Awaited<ReturnType<typeof createSealing>>

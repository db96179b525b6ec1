/**
 * Password hashes of other systems, until the first login replaces them. The stored text tells the
 * scheme by its prefix: `foreign:$argon2id$...`. A native hash begins with `$2`.
 */

export type Pbkdf2Digest = 'sha1' | 'sha256' | 'sha512'

interface ScryptParameters {
  /** log2 of the cost N. */
  logN: number
  r: number
  salt: Buffer
}

export type ForeignHash =
  | { scheme: 'bcrypt'; cost: number; text: string }
  | { scheme: 'argon2id'; memoryKib: number; passes: number; lanes: number; salt: Buffer; hash: Buffer }
  | ({ scheme: 'scrypt'; p: number; hash: Buffer } & ScryptParameters)
  /**
   * Firebase encrypts the signer key of the project with a key of scrypt (AES-256-CTR). The salt
   * includes the separator of the project. `keystream` is the ciphertext without the signer key,
   * which is not stored.
   */
  | ({ scheme: 'firebase-scrypt'; keystream: Buffer } & ScryptParameters)
  | { scheme: 'pbkdf2'; digest: Pbkdf2Digest; iterations: number; salt: Buffer; hash: Buffer }

const prefix = 'foreign:'

export const isForeignHash = (stored: string) => stored.startsWith(prefix)

/** Base64 without padding, as the PHC string format has it. */
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

/** @returns the text for the database */
export function formatForeignHash(hash: ForeignHash): string {
  switch (hash.scheme) {
    case 'bcrypt':
      return `${prefix}${hash.text}`
    case 'argon2id': {
      const { memoryKib, passes, lanes } = hash
      return join(`argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}`, hash.salt, hash.hash)
    }
    case 'scrypt':
      return join(`scrypt$ln=${hash.logN},r=${hash.r},p=${hash.p}`, hash.salt, hash.hash)
    case 'firebase-scrypt':
      return join(`firebase-scrypt$ln=${hash.logN},r=${hash.r}`, hash.salt, hash.keystream)
    case 'pbkdf2':
      return join(`pbkdf2-${hash.digest}$i=${hash.iterations}`, hash.salt, hash.hash)
  }
}

const join = (head: string, salt: Buffer, hash: Buffer) => `${prefix}$${head}$${base64(salt)}$${base64(hash)}`

/** The scheme of a stored foreign hash, for audit rows. */
export const schemeOfForeignHash = (stored: string) => readForeignHash(stored).scheme

/**
 * Reads a text of `formatForeignHash`.
 *
 * @throws Error for any other text
 */
export function readForeignHash(stored: string): ForeignHash {
  const text = stored.slice(prefix.length)
  if (text.startsWith('$2')) return { scheme: 'bcrypt', cost: Number(text.slice(4, 6)), text }
  const parts = text.split('$')
  const [, name = ''] = parts
  const [hash, salt] = [bytesOf(parts.at(-1)), bytesOf(parts.at(-2))]
  const parameters = new Map((parts.at(-3) ?? '').split(',').map((pair) => pairOf(pair)))
  const number = (key: string): number => {
    const value = Number(parameters.get(key))
    if (!Number.isInteger(value)) throw new Error(`the stored ${name} hash has no ${key}`)
    return value
  }
  switch (name) {
    case 'argon2id':
      return { scheme: name, memoryKib: number('m'), passes: number('t'), lanes: number('p'), salt, hash }
    case 'scrypt':
      return { scheme: name, logN: number('ln'), r: number('r'), p: number('p'), salt, hash }
    case 'firebase-scrypt':
      return { scheme: name, logN: number('ln'), r: number('r'), salt, keystream: hash }
    case 'pbkdf2-sha1':
    case 'pbkdf2-sha256':
    case 'pbkdf2-sha512': {
      const digest = name.slice('pbkdf2-'.length) as Pbkdf2Digest
      return { scheme: 'pbkdf2', digest, iterations: number('i'), salt, hash }
    }
    default:
      throw new Error('the stored password hash has no scheme that is known')
  }
}

const bytesOf = (text = '') => Buffer.from(text, 'base64')

function pairOf(pair: string): [string, string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}

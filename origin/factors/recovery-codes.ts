import { createHmac, randomInt } from 'node:crypto'

/** Codes of one set. */
export const recoveryCodeCount = 10

/** Crockford's base32 in lower case: no letter is taken for a digit. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** 60 bits. */
const length = 12
const group = 4

/** Letters that people write for digits. */
const lookalikes: Readonly<Record<string, string>> = { o: '0', i: '1', l: '1' }

const newCode = () => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')

/** @returns a set of codes without separators */
export const newRecoveryCodes = (): string[] => Array.from({ length: recoveryCodeCount }, newCode)

/** As a person reads and types it: `k3mv-9x2p-71qh`. */
export const formatRecoveryCode = (code: string): string =>
  (code.match(new RegExp(`.{${group}}`, 'g')) ?? []).join('-')

const readRecoveryCode = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[\s-]/g, '')
    .replaceAll(/[oil]/g, (letter) => lookalikes[letter] ?? letter)

/**
 * Digests recovery codes with a key that is not in the database: a copy of the database alone
 * allows no guesses. A slow hash would make ten comparisons of a login slow.
 *
 * @param key 32 bytes, whose other uses are apart by the text
 */
export function createRecoveryCodeHasher(key: Uint8Array) {
  const codeKey = createHmac('sha256', key).update('gatehouse recovery codes').digest()

  /** The digest of a code in any spelling. */
  return (userId: string, code: string): Buffer =>
    createHmac('sha256', codeKey)
      .update(`${userId} ${readRecoveryCode(code)}`)
      .digest()
}

export type HashRecoveryCode = ReturnType<typeof createRecoveryCodeHasher>

import { isForeignHash, schemeOfForeignHash } from './foreign/foreign-hash.ts'
import { leftToVerifier } from './legacy-verifier.ts'

/** The scheme of a stored password, for audit rows. */
export function schemeOf(stored: string): string {
  if (stored === leftToVerifier) return 'verifier'
  return isForeignHash(stored) ? schemeOfForeignHash(stored) : 'native'
}

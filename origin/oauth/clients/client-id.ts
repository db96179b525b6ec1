import { frontendClient } from '../../../shared/auth/claims.ts'

/** The same check as in the table. */
const grammar = /^[a-z][a-z0-9-]{2,62}$/

const accountId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Whether a text can be queried and stored: a forged id may hold characters that Postgres rejects.
 */
export function isClientId(text: string): boolean {
  return grammar.test(text)
}

/** Checks the id of a new client. */
export function evaluateClientId(id: string): 'usable' | 'malformed' | 'reserved' {
  if (!isClientId(id)) return 'malformed'
  // RFC 9068, section 5: the `sub` of a client must not be one that an account could have.
  return id === frontendClient || accountId.test(id) ? 'reserved' : 'usable'
}

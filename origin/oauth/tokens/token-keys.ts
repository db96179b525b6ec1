import { importWebVerifier, type PublicJwk, type VerifySignature } from '../../../shared/auth/jwk.ts'

/**
 * Finds a published key by its id, and imports each key once; a refreshed ring has new objects.
 */
export function createKeyFinder(publicKeys: () => readonly PublicJwk[]) {
  const imported = new WeakMap<PublicJwk, Promise<VerifySignature>>()

  return async function findKey(kid: string): Promise<VerifySignature | undefined> {
    const jwk = publicKeys().find((candidate) => candidate.kid === kid)
    if (!jwk) return undefined
    const importing = imported.get(jwk) ?? importWebVerifier(jwk)
    imported.set(jwk, importing)
    return importing
  }
}

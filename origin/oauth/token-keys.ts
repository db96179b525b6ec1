import { importKey, type PublicJwk, type SigningKey } from '../../shared/keys.ts'

/** Finds a published key by its id, and imports each but once: a ring that was read anew brings new objects. */
export function createKeyFinder(publicKeys: () => readonly PublicJwk[]) {
  const imported = new WeakMap<PublicJwk, Promise<SigningKey>>()

  return async function findKey(kid: string): Promise<CryptoKey | undefined> {
    const jwk = publicKeys().find((candidate) => candidate.kid === kid)
    if (!jwk) return undefined
    const importing = imported.get(jwk) ?? importKey(jwk)
    imported.set(jwk, importing)
    return (await importing).key
  }
}

import type { Identity } from '../../shared/auth/claims.ts'
import type { Signer } from '../../shared/auth/jwk.ts'
import { encodePart } from './gateway/issuer.ts'

export interface AssertionOptions {
  signer: Signer
  audience: string
  nowSeconds: number
  expiresAtSeconds: number
}

/**
 * An assertion written as plain JSON, in another order of members than the gateway's: an upstream
 * accepts any.
 *
 * @param user null on a public route
 */
export async function signAssertion(
  user: Identity | null,
  { signer, audience, nowSeconds, expiresAtSeconds }: AssertionOptions,
): Promise<string> {
  const header = { alg: 'ES256', kid: signer.kid, typ: 'gatehouse-assertion+jwt' }
  const payload = { user, iss: 'gatehouse-gateway', aud: audience, iat: nowSeconds, exp: expiresAtSeconds }
  const signed = `${encodePart(header)}.${encodePart(payload)}`
  return `${signed}.${await signer.sign(signed)}`
}

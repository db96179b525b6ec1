import type { Claims } from '../../../shared/auth/claims.ts'
import { generateKey, importKey, type PrivateJwk, type PublicJwk } from '../../../shared/auth/jwk.ts'

export const issuer = 'http://127.0.0.1:8080'
export const audience = 'gatehouse'

type Parts = Record<string, unknown>
type KeyPair = Awaited<ReturnType<typeof generateKey>>

/** JSON or text in base64url, as the parts of a token are. */
export const encodePart = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/**
 * An issuer of access tokens that also signs what a real one never would: any header, any payload.
 *
 * @param now milliseconds since 1970, from which `iat` and `exp` are made
 * @param keys those of another issuer, where this one is to pass for it
 */
export async function createIssuer(now: () => number = Date.now, keys?: KeyPair) {
  const { publicJwk, privateJwk } = keys ?? (await generateKey())
  const { key } = await importKey(privateJwk)

  function claims(overrides: Partial<Record<keyof Claims, unknown>> & Parts = {}): Parts {
    const nowSeconds = Math.floor(now() / 1000)
    return {
      iss: issuer,
      aud: audience,
      client_id: 'frontend',
      sub: crypto.randomUUID(),
      sid: crypto.randomUUID(),
      jti: crypto.randomUUID(),
      email: 'ada@example.com',
      role: 'user',
      level: 10,
      permissions: ['profile.read', 'dashboard.read'],
      plan: 'free',
      features: [],
      quota: 1000,
      epoch: { user: 1, role: 1, plan: 1 },
      amr: ['pwd'],
      acr: 'aal1',
      auth_time: nowSeconds,
      iat: nowSeconds,
      exp: nowSeconds + 900,
      ...overrides,
    }
  }

  /** An access token; what is `undefined` in an override is left out. */
  async function sign(payload: Parts = {}, header: Parts = {}): Promise<string> {
    const signed = `${encodePart({ alg: 'ES256', kid: publicJwk.kid, typ: 'at+jwt', ...header })}.${encodePart(claims(payload))}`
    return `${signed}.${await signature(signed)}`
  }

  async function signature(signed: string): Promise<string> {
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' }
    return Buffer.from(await crypto.subtle.sign(algorithm, key, Buffer.from(signed))).toString('base64url')
  }

  return { publicJwk, privateJwk, claims, sign, signature, jwks: { keys: [publicJwk] } }
}

export type Issuer = Awaited<ReturnType<typeof createIssuer>>
export type { PrivateJwk, PublicJwk }

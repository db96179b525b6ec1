import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import type { Sql } from 'postgres'
import { encodePart } from '../gateway/issuer.ts'

type Parts = Record<string, unknown>

export const hour = 3600
export const nowSeconds = () => Math.floor(Date.now() / 1000)

/** Claims of a token that is good for an hour; what is `undefined` is left out. */
export const claimsOf = (issuer: string, claims: Parts = {}): Parts => ({
  ...(issuer !== '' && { iss: issuer }),
  iat: nowSeconds(),
  exp: nowSeconds() + hour,
  jti: crypto.randomUUID(),
  ...claims,
})

/** A JWT whose parts are as they are given, signed by any function of the signed text. */
export function signJwtParts(header: Parts, payload: unknown, signature: (text: string) => string): string {
  const signed = `${encodePart(header)}.${encodePart(payload)}`
  return `${signed}.${signature(signed)}`
}

/** Signs as jsonwebtoken does with a secret. */
export const hmac =
  (secret: string | Buffer, bits: 256 | 384 | 512 = 256) =>
  (text: string) =>
    createHmac(`sha${bits}`, secret).update(text).digest('base64url')

/** A pair of keys, its public JWK and its signatures. */
export function createKeys(kind: 'ES256' | 'RS256', kid: string) {
  const pair =
    kind === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    kid,
    pair,
    jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: kind },
    sign: (text: string) =>
      sign('sha256', Buffer.from(text), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString(
        'base64url',
      ),
  }
}

/** An account as an import leaves it. @returns its id */
export async function insertImported(
  sql: Sql,
  externalId: string,
  { status = 'active', verified = true, role = 'user' } = {},
): Promise<string> {
  const [row] = await sql<[{ id: string }]>`
    insert into user_accounts (email, external_id, status, email_verified_at, role_id)
    select ${`${crypto.randomUUID()}@example.com`}, ${externalId}, ${status}, ${verified ? new Date() : null}, id
    from roles where name = ${role}
    returning id`
  return row.id
}

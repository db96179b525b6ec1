import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { z } from 'zod'
import { algorithm } from './claims.ts'

/** A public P-256 key as it stands in a JWKS. Unknown members are dropped, a private `d` with them. */
export const publicJwkSchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  kid: z.string().min(1),
  alg: z.literal(algorithm).default(algorithm),
  use: z.literal('sig').default('sig'),
})

export const privateJwkSchema = publicJwkSchema.extend({ d: z.string() })

export type PublicJwk = z.infer<typeof publicJwkSchema>
export type PrivateJwk = z.infer<typeof privateJwkSchema>

export interface SigningKey {
  kid: string
  key: CryptoKey
}

/** A new key pair; `kid` is the key's own thumbprint (RFC 7638), so two keys never share one. */
export async function generateKey(): Promise<{ publicJwk: PublicJwk; privateJwk: PrivateJwk }> {
  const pair = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(pair.privateKey)
  const privateJwk = privateJwkSchema.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk) })
  return { publicJwk: publicJwkSchema.parse(privateJwk), privateJwk }
}

/** @throws TypeError where the point is not on the curve */
export async function importKey(jwk: PublicJwk | PrivateJwk): Promise<SigningKey> {
  return { kid: jwk.kid, key: (await importJWK(jwk, algorithm)) as CryptoKey }
}

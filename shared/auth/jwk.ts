import { base64url, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import * as z from 'zod'
import type { Awaitable } from '../lib/async.ts'
import { algorithm } from './claims.ts'

/** 32 bytes in base64url, leading zeros included (RFC 7518, section 6.2.1.2). */
const coordinate = z.string().regex(/^[\w-]{43}$/)

/** The operations of a key, if it lists them, must include this one (RFC 7517, section 4.3). */
const keyOps = (operation: 'sign' | 'verify') =>
  z
    .array(z.string())
    .refine((operations) => operations.includes(operation), { error: `must have ${operation}` })
    .exactOptional()

/**
 * A public P-256 key of a JWKS. Unknown members are dropped, a private `d` with them.
 */
export const publicJwkSchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: coordinate,
  y: coordinate,
  kid: z.string().min(1),
  alg: z.literal(algorithm).default(algorithm),
  use: z.literal('sig').default('sig'),
  key_ops: keyOps('verify'),
})

export const privateJwkSchema = publicJwkSchema.extend({ d: coordinate, key_ops: keyOps('sign') })

export type PublicJwk = z.infer<typeof publicJwkSchema>
export type PrivateJwk = z.infer<typeof privateJwkSchema>

export interface SigningKey {
  kid: string
  key: CryptoKey
}

/** Whether an ES256 signature in base64url is this key's over these ASCII characters. */
export type VerifySignature = (signed: string, signature: string) => Awaitable<boolean>

/** Signs ASCII characters; the signature is in base64url. */
export interface Signer {
  kid: string
  sign: (text: string) => Awaitable<string>
}

/**
 * Signature functions of a runtime; `shared/node/keys.ts` is synchronous.
 */
export type ImportVerifier = (jwk: PublicJwk) => Promise<VerifySignature>
export type ImportSigner = (jwk: PrivateJwk) => Promise<Signer>

/** A new key pair; `kid` is the key's own thumbprint (RFC 7638), so two keys never share one. */
export async function generateKey(): Promise<{ publicJwk: PublicJwk; privateJwk: PrivateJwk }> {
  const pair = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(pair.privateKey)
  const privateJwk = privateJwkSchema.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk) })
  return { publicJwk: publicJwkSchema.parse(privateJwk), privateJwk }
}

/**
 * Imports without `key_ops`: the schema has checked them, and WebCrypto refuses a key whose list
 * names more than it can do, such as `deriveBits`.
 *
 * @throws TypeError where the point is not on the curve
 */
export async function importKey({ key_ops: _, ...jwk }: PublicJwk | PrivateJwk): Promise<SigningKey> {
  return { kid: jwk.kid, key: (await importJWK(jwk, algorithm)) as CryptoKey }
}

const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }
const encoder = new TextEncoder()

/** Over WebCrypto, which every runtime has. */
export const importWebVerifier: ImportVerifier = async (jwk) => webVerifier((await importKey(jwk)).key)

const webVerifier =
  (key: CryptoKey): VerifySignature =>
  (signed, signature) =>
    crypto.subtle.verify(
      ecdsa,
      key,
      base64url.decode(signature) as Uint8Array<ArrayBuffer>,
      encoder.encode(signed),
    )

export const importWebSigner: ImportSigner = async (jwk) => {
  const { kid, key } = await importKey(jwk)
  return {
    kid,
    sign: async (text) =>
      base64url.encode(new Uint8Array(await crypto.subtle.sign(ecdsa, key, encoder.encode(text)))),
  }
}

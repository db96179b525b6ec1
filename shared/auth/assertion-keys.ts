import {
  base64url,
  CompactEncrypt,
  compactDecrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
} from 'jose'
import * as z from 'zod'
import type { EpochMs } from '../lib/time.ts'
import { gatewayAudience } from './assertion.ts'
import { algorithm } from './claims.ts'
import { importKey, type PrivateJwk, type PublicJwk, privateJwkSchema, type Signer } from './jwk.ts'

/** Path of the document of public keys that verify assertions. */
export const assertionKeysPath = '/.well-known/gatehouse-assertion-keys.json'

/**
 * How long a gateway signs with a key that the origin has not confirmed since. Then it signs with
 * its own key, which is in the document at any time.
 */
export const assertionKeySeconds = 600

/** RFC 7518, section 4.6: the key is agreed for one message, and nothing else can decrypt it. */
const encryption = { alg: 'ECDH-ES', enc: 'A256GCM' } as const
const requestType = 'gatehouse-key-request+jwt'
const requestSeconds = 60

/** As for assertions of gateways whose clock is ahead. */
const clockToleranceSeconds = 30

const ephemeralJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().regex(/^[\w-]{43}$/),
  y: z.string().regex(/^[\w-]{43}$/),
})

const encode = (part: object) => base64url.encode(JSON.stringify(part))

/**
 * A gateway's request for the key that signs assertions: the gateway's own key signs a public key
 * that was made for this request. The network between them sees neither key.
 */
export async function requestAssertionKey({ kid, sign }: Signer, nowSeconds: number) {
  const pair = await generateKeyPair(encryption.alg, { crv: 'P-256' })
  const { kty, crv, x, y } = await exportJWK(pair.publicKey)
  const header = { alg: algorithm, kid, typ: requestType }
  const claims = {
    aud: gatewayAudience,
    iat: nowSeconds,
    exp: nowSeconds + requestSeconds,
    jwk: { kty, crv, x, y },
  }
  const signed = `${encode(header)}.${encode(claims)}`
  return {
    request: `${signed}.${await sign(signed)}`,

    /** @throws Error where the answer is not for this request, or holds no private key */
    async decrypt(answer: string): Promise<PrivateJwk> {
      const { plaintext } = await compactDecrypt(answer, pair.privateKey, {
        keyManagementAlgorithms: [encryption.alg],
        contentEncryptionAlgorithms: [encryption.enc],
      })
      return privateJwkSchema.parse(JSON.parse(new TextDecoder().decode(plaintext)))
    },
  }
}

/**
 * Encrypts a private key for the gateway that sent the request.
 *
 * @param gatewayKeys the gateways' own public keys
 * @returns undefined where no gateway has signed the request
 */
export async function encryptForGateway(
  request: string,
  key: PrivateJwk,
  gatewayKeys: readonly PublicJwk[],
  now: EpochMs,
): Promise<string | undefined> {
  const claims = await jwtVerify(
    request,
    async ({ kid }) => {
      const jwk = gatewayKeys.find((candidate) => candidate.kid === kid)
      if (!jwk) throw new Error('no gateway has this key')
      return (await importKey(jwk)).key
    },
    {
      algorithms: [algorithm],
      typ: requestType,
      audience: gatewayAudience,
      requiredClaims: ['iat', 'exp'],
      maxTokenAge: requestSeconds,
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now),
    },
  ).catch(() => undefined)
  const jwk = ephemeralJwk.safeParse(claims?.payload.jwk)
  if (!jwk.success) return undefined
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(key)))
    .setProtectedHeader(encryption)
    .encrypt(await importJWK(jwk.data, encryption.alg))
}

import { base64url, errors as jose, jwtVerify } from 'jose'
import { z } from 'zod'
import { type Awaitable, chain } from '../lib/async.ts'
import { createBoundedMap } from '../lib/bounded-map.ts'
import type { EpochSeconds, Now } from '../lib/time.ts'
import { algorithm, clockLeewaySeconds, type Identity, identitySchema } from './claims.ts'
import { importKey, type PublicJwk, type Signer } from './jwk.ts'

/**
 * The gateway's assertion: who is calling, signed by the gateway for one upstream and a short life.
 * An upstream believes this and nothing else a request says of its caller.
 */
const assertionIssuer = 'gatehouse-gateway'
export const assertionLifeSeconds = 300

/**
 * A gateway's clock may be ahead of an upstream's by this much. The other way round the gateway
 * renews an assertion early enough. More than `clockLeewaySeconds`, as a future `iat` prolongs
 * nothing: the end counts.
 */
const gatewayAheadSeconds = 30

/**
 * Whom the gateway's own questions to the origin are for: apart from `origin`, so that no proxied
 * request can ask them.
 */
export const gatewayAudience = 'origin-gateway'

const assertionType = 'gatehouse-assertion+jwt'

const assertionSchema = z.object({ user: identitySchema.nullable(), iat: z.number(), exp: z.number() })

interface SignOptions {
  signer: Signer
  audience: string
  nowSeconds: number
  expiresAtSeconds: number
}

/** In one piece, as it is kept for long: V8 holds a template's result as the tree of its pieces. */
const joinParts = (...parts: string[]) => parts.join('.')

const encodePart = (part: object) => base64url.encode(JSON.stringify(part))

/** @param user null for a request that nobody had to sign in for */
export function signAssertion(
  user: Identity | null,
  { signer, audience, nowSeconds, expiresAtSeconds }: SignOptions,
): Awaitable<string> {
  const header = { alg: algorithm, kid: signer.kid, typ: assertionType }
  const payload = { user, iss: assertionIssuer, aud: audience, iat: nowSeconds, exp: expiresAtSeconds }
  const signed = joinParts(encodePart(header), encodePart(payload))
  return chain(signer.sign(signed), (signature) => joinParts(signed, signature))
}

export interface Assertion {
  user: Identity | null
}

/**
 * Verifies an assertion. Resolves to undefined unless the gateway signed it for this audience and
 * it has not expired.
 */
export type VerifyAssertion = (jwt: string) => Promise<Assertion | undefined>

/**
 * The gateway sends one assertion many times: so many responses are kept per generation, so that a
 * signature is checked once.
 */
const remembered = 20_000

function lifetimeFault(
  issuedAt: EpochSeconds,
  end: EpochSeconds,
  nowSeconds: EpochSeconds,
): string | undefined {
  if (issuedAt > nowSeconds + gatewayAheadSeconds) return 'issued in the future: compare the clocks'
  return end + clockLeewaySeconds <= nowSeconds ? 'older than it may be' : undefined
}

/**
 * jose has one code for each claim that is wrong; the name of the claim tells a clock from a
 * configuration.
 */
const reasonOf = (error: jose.JOSEError): string =>
  error instanceof jose.JWTClaimValidationFailed || error instanceof jose.JWTExpired
    ? `${error.code}: ${error.claim}`
    : error.code

interface VerifierOptions {
  keys: readonly PublicJwk[]
  audience: string
  now?: Now
  /** Told why, in a word that holds nothing of the assertion. */
  onRejected?: (reason: string) => void
}

export async function createAssertionVerifier({
  keys,
  audience,
  onRejected = () => {},
  now = Date.now,
}: VerifierOptions): Promise<VerifyAssertion> {
  const imported = new Map<string, CryptoKey>()
  for (const jwk of keys) imported.set(jwk.kid, (await importKey(jwk)).key)
  const verified = createBoundedMap<string, Assertion & { exp: EpochSeconds }>(remembered)

  /**
   * The log names the check that failed, which tells a wrong key or clock from an attack. The
   * caller is not told.
   */
  function reject(reason: string): undefined {
    onRejected(reason)
    return undefined
  }

  return async function verifyAssertion(jwt) {
    const known = verified.get(jwt)
    if (known) return known.exp + clockLeewaySeconds > now() / 1000 ? known : undefined
    try {
      const { payload } = await jwtVerify(
        jwt,
        ({ kid = '' }) => {
          const key = imported.get(kid)
          if (!key) throw new jose.JWKSNoMatchingKey()
          return key
        },
        {
          algorithms: [algorithm],
          typ: assertionType,
          issuer: assertionIssuer,
          audience,
          requiredClaims: ['exp', 'iat'],
          clockTolerance: clockLeewaySeconds,
          currentDate: new Date(now()),
        },
      )
      const { user, iat, exp } = assertionSchema.parse(payload)
      const assertion = { user, exp: Math.min(exp, iat + assertionLifeSeconds) }
      const reason = lifetimeFault(iat, assertion.exp, now() / 1000)
      if (reason) return reject(reason)
      verified.set(jwt, assertion)
      return assertion
    } catch (error) {
      if (!(error instanceof jose.JOSEError || error instanceof z.ZodError)) throw error
      return reject(error instanceof z.ZodError ? 'payload' : reasonOf(error))
    }
  }
}

import { errors as jose, jwtVerify } from 'jose'
import * as z from 'zod'
import { createBoundedMap } from '../lib/bounded-map.ts'
import type { EpochSeconds, Now } from '../lib/time.ts'
import { assertionIssuer, assertionType } from './assertion-format.ts'
import { algorithm, clockLeewaySeconds, type Identity, identitySchema } from './claims.ts'
import { importKey, type PublicJwk } from './jwk.ts'

/**
 * The gateway's assertion: a short-lived JWT about the caller, signed for one upstream. Upstreams
 * trust this and no other statement about the caller.
 */
export const assertionLifeSeconds = 300

/**
 * Leeway for a gateway's clock ahead of an upstream's; the opposite is covered by early renewal. It
 * exceeds `clockLeewaySeconds`, as a future `iat` extends nothing: `exp` counts.
 */
const gatewayAheadSeconds = 30

/**
 * Audience of the gateway's own calls to the origin, apart from `origin`, so that no proxied
 * request can make them.
 */
export const gatewayAudience = 'origin-gateway'

const assertionSchema = z.object({ user: identitySchema.nullable(), iat: z.number(), exp: z.number() })

export interface Assertion {
  user: Identity | null
}

/**
 * Verifies an assertion. Resolves to undefined if it is expired or not signed by the gateway for
 * this audience.
 */
export type VerifyAssertion = (jwt: string) => Promise<Assertion | undefined>

/**
 * Cached assertions: the gateway sends each many times, and its signature is checked once. The map
 * holds up to twice this (see bounded-map.ts).
 */
const remembered = 20_000

/** A rotation has at most three keys at a time. */
const keptRotatedKeys = 10

function lifetimeFault(
  issuedAt: EpochSeconds,
  end: EpochSeconds,
  nowSeconds: EpochSeconds,
): string | undefined {
  if (issuedAt > nowSeconds + gatewayAheadSeconds) return 'issued in the future: compare the clocks'
  return end + clockLeewaySeconds <= nowSeconds ? 'older than it may be' : undefined
}

/**
 * jose has one code for all claims; the claim's name distinguishes a clock from a configuration
 * error.
 */
const reasonOf = (error: jose.JOSEError): string =>
  error instanceof jose.JWTClaimValidationFailed || error instanceof jose.JWTExpired
    ? `${error.code}: ${error.claim}`
    : error.code

interface VerifierOptions {
  keys: readonly PublicJwk[]
  /** Further keys, which change. */
  rotatedKeys?: () => readonly PublicJwk[]
  audience: string
  now?: Now
  /** Called with the reason, one word without content of the assertion. */
  onRejected?: (reason: string) => void
}

export async function createAssertionVerifier({
  keys,
  rotatedKeys = () => [],
  audience,
  onRejected = () => {},
  now = Date.now,
}: VerifierOptions): Promise<VerifyAssertion> {
  const imported = new Map<string, CryptoKey>()
  for (const jwk of keys) imported.set(jwk.kid, (await importKey(jwk)).key)
  /** By thumbprint, so that two keys never share an id. */
  const importedRotated = createBoundedMap<string, CryptoKey>(keptRotatedKeys)

  async function keyOf(kid: string): Promise<CryptoKey> {
    const fixed = imported.get(kid)
    if (fixed) return fixed
    const jwk = rotatedKeys().find((candidate) => candidate.kid === kid)
    if (!jwk) throw new jose.JWKSNoMatchingKey()
    const known = importedRotated.get(kid)
    if (known) return known
    const { key } = await importKey(jwk)
    importedRotated.set(kid, key)
    return key
  }

  const verified = createBoundedMap<string, Assertion & { exp: EpochSeconds }>(remembered)

  /**
   * The log names the failed check, which distinguishes a wrong key or clock from an attack. The
   * response does not.
   */
  function reject(reason: string): undefined {
    onRejected(reason)
    return undefined
  }

  return async function verifyAssertion(jwt) {
    const known = verified.get(jwt)
    if (known) return known.exp + clockLeewaySeconds > now() / 1000 ? known : undefined
    try {
      const { payload } = await jwtVerify(jwt, ({ kid = '' }) => keyOf(kid), {
        algorithms: [algorithm],
        typ: assertionType,
        issuer: assertionIssuer,
        audience,
        requiredClaims: ['exp', 'iat'],
        clockTolerance: clockLeewaySeconds,
        currentDate: new Date(now()),
      })
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

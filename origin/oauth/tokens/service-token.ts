import type { JWTPayload } from 'jose'
import * as z from 'zod'
import { accessTokenType, clockLeewaySeconds, serviceAudience } from '../../../shared/auth/claims.ts'
import type { PublicJwk } from '../../../shared/auth/jwk.ts'
import { TokenError, verifyAccessToken } from '../../../shared/auth/verify-access-token.ts'
import type { Scope } from '../../../shared/contract/oauth/scopes.ts'
import { createBoundedMap } from '../../../shared/lib/bounded-map.ts'
import type { EpochSeconds, Now } from '../../../shared/lib/time.ts'
import type { KeyRing } from '../../keys/key-ring.ts'
import { signJwt } from '../../keys/sign-jwt.ts'
import { isScope } from '../clients/scopes.ts'
import { createKeyFinder } from './token-keys.ts'

/** `iat` and `exp` are `EpochSeconds`. */
const serviceClaimsSchema = z
  .object({
    iss: z.string(),
    aud: z.string(),
    sub: z.string(),
    client_id: z.string(),
    jti: z.string(),
    scope: z.string(),
    iat: z.number(),
    exp: z.number(),
  })
  // RFC 9068, section 2.2: where no user is involved, `sub` is the client.
  .refine(({ sub, client_id }) => sub === client_id)

export type ServiceClaims = z.infer<typeof serviceClaimsSchema>

/** @returns undefined for the claims of any other token */
export function readServiceClaims(payload: JWTPayload): ServiceClaims | undefined {
  return serviceClaimsSchema.safeParse(payload).data
}

interface SignerOptions {
  keys: Pick<KeyRing, 'signing'>
  issuer: string
  lifeSeconds: number
}

export interface Service {
  clientId: string
  scopes: readonly Scope[]
}

export function createServiceTokenSigner({ keys, issuer, lifeSeconds }: SignerOptions) {
  return async function signServiceToken({ clientId, scopes }: Service): Promise<string> {
    const own = { iss: issuer, aud: serviceAudience, sub: clientId }
    const claims = { client_id: clientId, scope: scopes.join(' '), ...own }
    return signJwt(keys.signing(), accessTokenType, claims, lifeSeconds)
  }
}

interface VerifierOptions {
  /** The current verification keys. */
  publicKeys: () => readonly PublicJwk[]
  issuer: string
  audience: string
  now?: Now
  /** Cached tokens; the map holds up to twice this (see bounded-map.ts). */
  cacheSize?: number
}

interface Verified {
  service: Service
  kid: string
  expiresAt: EpochSeconds
}

/**
 * Verifies tokens of services. A token verified before skips the signature check, but never the
 * checks of its expiry and of its key. There is no query: the tokens of a disabled client stay
 * valid for SERVICE_TOKEN_SECONDS.
 *
 * @returns a function that returns undefined for any other than a live service token for this
 * audience
 */
export function createServiceTokenVerifier(options: VerifierOptions) {
  const { publicKeys, issuer, audience, now = Date.now, cacheSize = 1000 } = options
  const verified = createBoundedMap<string, Verified>(cacheSize)
  const findKey = createKeyFinder(publicKeys)

  async function verifyAnew(token: string): Promise<Verified | undefined> {
    let kid = ''
    try {
      const payload = await verifyAccessToken(token, {
        findKey: (id) => {
          kid = id
          return findKey(id)
        },
        issuer,
        audience,
        now: now(),
      })
      const claims = readServiceClaims(payload)
      if (!claims) return undefined
      const scopes = claims.scope.split(' ').filter(isScope)
      return { service: { clientId: claims.client_id, scopes }, kid, expiresAt: claims.exp }
    } catch (error) {
      if (error instanceof TokenError) return undefined
      throw error
    }
  }

  return async function verifyServiceToken(token: string): Promise<Service | undefined> {
    const known = verified.get(token)
    if (!known) {
      const fresh = await verifyAnew(token)
      if (fresh) verified.set(token, fresh)
      return fresh?.service
    }
    const counts = publicKeys().some(({ kid }) => kid === known.kid)
    if (counts && known.expiresAt + clockLeewaySeconds > now() / 1000) return known.service
    verified.delete(token)
    return undefined
  }
}

export type VerifyServiceToken = ReturnType<typeof createServiceTokenVerifier>

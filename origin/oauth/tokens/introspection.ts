import type { IntrospectionResponse, LiveToken } from '../../../shared/contract.ts'
import type { EpochSeconds } from '../../../shared/lib/time.ts'

/**
 * The response for every token that is not live; it does not tell why.
 */
export const inactive: IntrospectionResponse = { active: false }

type Registered = 'iss' | 'sub' | 'client_id' | 'exp' | 'iat' | 'aud' | 'jti'

/** Selects the standard members: the other claims of a token are personal data. */
export function liveAccessToken(
  { iss, sub, client_id, exp, iat, aud, jti }: Required<Pick<LiveToken, Registered>>,
  more: Pick<LiveToken, 'scope' | 'username' | 'acr' | 'auth_time'>,
): IntrospectionResponse {
  return { active: true, token_type: 'Bearer', iss, sub, client_id, exp, iat, aud, jti, ...more }
}

/** `token_type` is a member of access tokens only (RFC 6749, section 5.1). */
export function liveRefreshToken(
  { userId, issuedAt, expiresAt }: { userId: string; issuedAt: EpochSeconds; expiresAt: EpochSeconds },
  { issuer, clientId }: { issuer: string; clientId: string },
): IntrospectionResponse {
  return { active: true, iss: issuer, sub: userId, client_id: clientId, exp: expiresAt, iat: issuedAt }
}

import type { IntrospectionResponse, LiveToken } from '../../../shared/contract.ts'
import type { EpochSeconds } from '../../../shared/lib/time.ts'

/**
 * All that is told of a token that is none, or not any more: which of the two is nobody's business.
 */
export const inactive: IntrospectionResponse = { active: false }

type Registered = 'iss' | 'sub' | 'client_id' | 'exp' | 'iat' | 'aud' | 'jti'

/** Picks the standard members: a token says more of its bearer than its validity. */
export function liveAccessToken(
  { iss, sub, client_id, exp, iat, aud, jti }: Required<Pick<LiveToken, Registered>>,
  more: Pick<LiveToken, 'scope' | 'username'>,
): IntrospectionResponse {
  return { active: true, token_type: 'Bearer', iss, sub, client_id, exp, iat, aud, jti, ...more }
}

/** `token_type` is one of an access token (RFC 6749, section 5.1), so there is none here. */
export function liveRefreshToken(
  { userId, issuedAt, expiresAt }: { userId: string; issuedAt: EpochSeconds; expiresAt: EpochSeconds },
  { issuer, clientId }: { issuer: string; clientId: string },
): IntrospectionResponse {
  return { active: true, iss: issuer, sub: userId, client_id: clientId, exp: expiresAt, iat: issuedAt }
}

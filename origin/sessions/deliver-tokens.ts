import type { Context } from 'hono'
import type { TokenResponse } from '../../shared/contract.ts'
import type { RefreshCookie } from './refresh-cookie.ts'

/**
 * The body of a token response (RFC 6749). In cookie mode the refresh token is not in it: the
 * response sets it as its cookie.
 */
export function deliverTokens(
  c: Context,
  tokens: TokenResponse,
  mode: 'body' | 'cookie',
  refreshCookie: RefreshCookie,
): TokenResponse | Omit<TokenResponse, 'refresh_token'> {
  if (mode === 'body') return tokens
  const { refresh_token: refreshToken, ...rest } = tokens
  refreshCookie.set(c, refreshToken)
  return rest
}

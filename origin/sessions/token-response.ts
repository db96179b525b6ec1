import type { Context } from 'hono'
import type { TokenResponse } from '../../shared/contract.ts'
import type { RefreshCookie } from './refresh-cookie.ts'

/**
 * The token response of RFC 6749 or, in cookie mode, the same with the refresh token in its cookie
 * alone.
 */
export function tokenResponse(
  c: Context,
  tokens: TokenResponse,
  mode: 'body' | 'cookie',
  refreshCookie: RefreshCookie,
) {
  if (mode === 'body') return c.json(tokens)
  const { refresh_token: refreshToken, ...rest } = tokens
  refreshCookie.set(c, refreshToken)
  return c.json(rest)
}

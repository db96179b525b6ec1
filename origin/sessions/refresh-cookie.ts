import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { refreshCookie } from '../../shared/http/headers.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import { hostCookieAttributes } from '../http/host-cookie.ts'

interface CookieOptions {
  origins: Pick<CookieOrigins, 'requireAllowed'>
  /** The idle limit of refresh tokens. */
  maxAgeSeconds: number
}

/**
 * Cookie mode, for browsers: the refresh token in a cookie that no script can read and no other
 * site can send.
 */
export function createRefreshCookie({ origins, maxAgeSeconds }: CookieOptions) {
  return {
    /**
     * @throws Problem `origin_not_allowed` where a page of another origin sent the cookie
     */
    read(c: Context): string | undefined {
      const token = getCookie(c, refreshCookie)
      if (token !== undefined) origins.requireAllowed(c)
      return token
    },

    set: (c: Context, token: string) =>
      setCookie(c, refreshCookie, token, { ...hostCookieAttributes, maxAge: maxAgeSeconds }),

    clear: (c: Context) => void deleteCookie(c, refreshCookie, hostCookieAttributes),
  }
}

export type RefreshCookie = ReturnType<typeof createRefreshCookie>

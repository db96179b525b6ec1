import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { Problem } from '../../shared/errors.ts'
import { refreshCookie } from '../../shared/headers.ts'
import { hostCookieAttributes } from '../host-cookie.ts'

interface CookieOptions {
  /** Origins whose pages may use the cookie, exact. */
  origins: readonly string[]
  /** The refresh token's own idle limit. */
  maxAgeSeconds: number
}

/**
 * Cookie mode, for browsers: the refresh token in a cookie that no script can read and no other site can send. The Origin field
 * is checked all the same, as SameSite counts every subdomain as the same site.
 */
export function createRefreshCookie({ origins, maxAgeSeconds }: CookieOptions) {
  const allowed = new Set(origins)

  return {
    /** @throws Problem `origin_not_allowed` where there is a cookie and a page that may not use it sent it */
    read(c: Context): string | undefined {
      const token = getCookie(c, refreshCookie)
      if (token === undefined) return undefined
      if (!allowed.has(c.req.header('origin') ?? '')) throw new Problem('origin_not_allowed')
      return token
    },

    set: (c: Context, token: string) =>
      setCookie(c, refreshCookie, token, { ...hostCookieAttributes, maxAge: maxAgeSeconds }),

    clear: (c: Context) => void deleteCookie(c, refreshCookie, hostCookieAttributes),
  }
}

export type RefreshCookie = ReturnType<typeof createRefreshCookie>

import type { Context } from 'hono'
import { Problem } from '../../shared/http/errors.ts'
import { createOriginSet } from '../../shared/http/origin-pattern.ts'

/**
 * Checks the Origin of requests that use or set a cookie: only the origins of CORS_ORIGINS and
 * ISSUER_URL may. SameSite is not enough, as every subdomain is the same site.
 */
export function createCookieOrigins(origins: readonly string[]) {
  const allowed = createOriginSet(origins)

  return {
    /**
     * For the refresh cookie, which is a credential: the request must name its origin. Call it
     * before the cookie is used, and before the work that leads to setting it.
     *
     * @throws Problem `origin_not_allowed`
     */
    requireAllowed(c: Context): void {
      if (!allowed.has(c.req.header('origin') ?? '')) throw new Problem('origin_not_allowed')
    },

    /**
     * Whether a response may set the device cookie. Apps and servers, which send no Origin, get it
     * too, and so do pages of the request's own host. Other clients are served without it: their
     * tokens are in the body.
     */
    mayRemember(c: Context): boolean {
      const origin = c.req.header('origin')
      return origin === undefined || origin === addressedOrigin(c) || allowed.has(origin)
    },
  }
}

export type CookieOrigins = ReturnType<typeof createCookieOrigins>

/** The gateway sets these headers and removes a client's own. */
const addressedOrigin = (c: Context) =>
  `${c.req.header('x-forwarded-proto')}://${c.req.header('x-forwarded-host')}`

import type { Context } from 'hono'
import { Problem } from '../../shared/http/errors.ts'

/**
 * Holds the Origin of requests that use or set a cookie against the origins whose pages may: those
 * of CORS_ORIGINS and ISSUER_URL, exact. SameSite alone does not, as it counts every subdomain as
 * the same site.
 */
export function createCookieOrigins(origins: readonly string[]) {
  const allowed = new Set(origins)

  return {
    /**
     * For the refresh cookie, which is a credential: the request must name its origin. Called
     * before the cookie is used, and before anything is done for which it will be set.
     *
     * @throws Problem `origin_not_allowed`
     */
    requireAllowed(c: Context): void {
      if (!allowed.has(c.req.header('origin') ?? '')) throw new Problem('origin_not_allowed')
    },

    /**
     * Whether a response may set the device cookie. Apps and servers get it as well: they send no
     * Origin. A page of the host that the request is for is not foreign. Other clients are served
     * without it, as their tokens are in the body.
     */
    mayRemember(c: Context): boolean {
      const origin = c.req.header('origin')
      return origin === undefined || origin === addressedOrigin(c) || allowed.has(origin)
    },
  }
}

export type CookieOrigins = ReturnType<typeof createCookieOrigins>

/** As the gateway says, whose fields these are: a client's own are removed there. */
const addressedOrigin = (c: Context) =>
  `${c.req.header('x-forwarded-proto')}://${c.req.header('x-forwarded-host')}`

import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { VerifyAssertion } from '../../shared/auth/assertion.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { Problem } from '../../shared/http/errors.ts'
import { assertionHeader, overLimitHeader } from '../../shared/http/headers.ts'
import { type OverLimit, parseOverLimit } from '../../shared/http/over-limit.ts'
import type { RequestLogEnv } from '../../shared/http/request-log.ts'

/**
 * A request's address, user agent and id, as the gateway reports them. Stored in audit rows,
 * sessions and login attempts.
 */
export interface RequestContext {
  ip: string | null
  userAgent: string | null
  requestId: string
  /**
   * The limits of failures that its address exceeds. A secret or device that is not known to be
   * genuine is rejected.
   */
  overLimit?: OverLimit | undefined
}

/** Characters of the header that a row stores. */
const maxUserAgentLength = 512

export const userAgentOf = (c: Context): string | null =>
  c.req.header('user-agent')?.slice(0, maxUserAgentLength) ?? null

export interface OriginEnv {
  Variables: RequestLogEnv['Variables'] & { context: RequestContext; user: Identity | null }
}

/**
 * Reads the user and the request context from the gateway's assertion. A user's own token or a
 * forged header has no effect.
 *
 * @throws Problem `untrusted_caller` for an invalid assertion
 */
export function authenticateGateway(verify: VerifyAssertion) {
  return createMiddleware<OriginEnv>(async function authenticateGateway(c, next) {
    const jwt = c.req.header(assertionHeader)
    if (jwt !== undefined) {
      const assertion = await verify(jwt)
      if (!assertion) throw new Problem('untrusted_caller')
      c.set('user', assertion.user)
      const overLimit = c.req.header(overLimitHeader)
      c.set('context', {
        ip: c.req.header('x-forwarded-for') ?? null,
        userAgent: userAgentOf(c),
        requestId: c.get('requestId'),
        overLimit: overLimit === undefined ? undefined : parseOverLimit(overLimit),
      })
    }
    await next()
  })
}

/** Admits only requests with a valid assertion of the gateway. */
export const requireGateway = createMiddleware<OriginEnv>(async function requireGateway(c, next) {
  if (!c.get('context')) throw new Problem('untrusted_caller')
  await next()
})

/**
 * Returns the signed-in user. The policy table admits no other caller; this check covers a row that
 * is wrong.
 */
export function requireUser(user: Identity | null): Identity {
  if (!user) throw new Problem('token_missing')
  return user
}

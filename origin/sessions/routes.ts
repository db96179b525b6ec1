import { type Context, Hono } from 'hono'
import { ownAccount, signingIn, type TokenResponse } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { deliverTokens } from './deliver-tokens.ts'
import type { RefreshCookie } from './refresh-cookie.ts'
import type { RefreshOutcome, SessionService } from './service.ts'

interface SessionRoutesOptions {
  sessions: SessionService
  refreshCookie: RefreshCookie
}

const { refresh, logout } = signingIn
const { listOwnSessions, endOwnSession, endOtherSessions } = ownAccount.endpoints
const signedIn = requireAuthorization({})

export function createSessionRoutes({ sessions, refreshCookie }: SessionRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  /**
   * The token of the body or, in cookie mode, of the cookie.
   *
   * @throws Problem `refresh_missing`, `origin_not_allowed`
   */
  function presented(c: Context, inBody: string | undefined): { token: string; mode: 'body' | 'cookie' } {
    if (inBody !== undefined) return { token: inBody, mode: 'body' }
    const inCookie = refreshCookie.read(c)
    if (inCookie !== undefined) return { token: inCookie, mode: 'cookie' }
    throw new Problem('refresh_missing')
  }

  serve(routes, refresh, async ({ body, respond }, c) => {
    const { token, mode } = presented(c, body.refresh_token)
    const tokens = refreshed(await sessions.refresh(token, c.get('context')))
    return respond(deliverTokens(c, tokens, mode, refreshCookie))
  })

  serve(routes, logout, async ({ body, respond }, c) => {
    const { token, mode } = presented(c, body.refresh_token)
    const outcome = await sessions.logout(token, { everywhere: body.everywhere }, c.get('context'))
    if (outcome.kind === 'over_limit') throw overLimitProblem(outcome.limit, 'refresh_invalid')
    if (mode === 'cookie') refreshCookie.clear(c)
    return respond()
  })

  serve(routes, listOwnSessions, signedIn, async ({ respond }, c) => {
    const { sub, sid } = requireUser(c.get('user'))
    const live = await sessions.list(sub)
    return respond({
      sessions: live.map(
        ({ id, ip, userAgent, createdAt, lastUsedAt, expiresAt, amr, acr, authenticatedAt }) => ({
          id,
          current: id === sid,
          ip,
          user_agent: userAgent,
          created_at: createdAt.toISOString(),
          last_used_at: lastUsedAt.toISOString(),
          expires_at: expiresAt.toISOString(),
          amr,
          acr,
          auth_time: authenticatedAt.toISOString(),
        }),
      ),
    })
  })

  serve(routes, endOwnSession, signedIn, async ({ params, respond }, c) => {
    const { sub } = requireUser(c.get('user'))
    const own = { userId: sub, sessionId: params.id }
    if (!(await sessions.endOne(own, 'ended_by_user', c.get('context')))) throw new Problem('not_found')
    return respond()
  })

  serve(routes, endOtherSessions, signedIn, async ({ respond }, c) => {
    const { sub, sid } = requireUser(c.get('user'))
    await sessions.endOthers({ userId: sub, sessionId: sid }, c.get('context'))
    return respond()
  })

  return routes
}

/** @throws Problem `refresh_reused`, `refresh_invalid`, `rate_limited` */
function refreshed(outcome: RefreshOutcome): TokenResponse {
  switch (outcome.kind) {
    case 'rotated':
    case 'replayed':
    case 'replayed_late':
      return outcome.tokens
    case 'reused':
      throw new Problem('refresh_reused')
    case 'invalid':
      throw new Problem('refresh_invalid')
    case 'over_limit':
      throw overLimitProblem(outcome.limit, 'refresh_invalid')
  }
}

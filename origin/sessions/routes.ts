import { type Context, Hono } from 'hono'
import { logoutBody, refreshBody, type SessionsResponse, type TokenResponse } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { jsonBody } from '../http/json-body.ts'
import { requireUuid } from '../http/path-parameters.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import type { RefreshCookie } from './refresh-cookie.ts'
import type { RefreshOutcome, SessionService } from './service.ts'
import { tokenResponse } from './token-response.ts'

interface SessionRoutesOptions {
  sessions: SessionService
  refreshCookie: RefreshCookie
}

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

  routes.post('/refresh', ...jsonBody(refreshBody), async (c) => {
    const { token, mode } = presented(c, c.req.valid('json').refresh_token)
    const tokens = refreshed(await sessions.refresh(token, c.get('context')))
    return tokenResponse(c, tokens, mode, refreshCookie)
  })

  routes.post('/logout', ...jsonBody(logoutBody), async (c) => {
    const { refresh_token: inBody, everywhere } = c.req.valid('json')
    const { token, mode } = presented(c, inBody)
    const outcome = await sessions.logout(token, { everywhere }, c.get('context'))
    if (outcome.kind === 'over_limit') throw overLimitProblem(outcome.limit, 'refresh_invalid')
    if (mode === 'cookie') refreshCookie.clear(c)
    return c.body(null, 204)
  })

  routes.get('/sessions', async (c) => {
    const { sub, sid } = requireUser(c.get('user'))
    const live = await sessions.list(sub)
    return c.json({
      sessions: live.map(({ id, ip, userAgent, createdAt, lastUsedAt, expiresAt }) => ({
        id,
        current: id === sid,
        ip,
        user_agent: userAgent,
        created_at: createdAt.toISOString(),
        last_used_at: lastUsedAt.toISOString(),
        expires_at: expiresAt.toISOString(),
      })),
    } satisfies SessionsResponse)
  })

  routes.delete('/sessions/:id', async (c) => {
    const { sub } = requireUser(c.get('user'))
    const sessionId = requireUuid(c.req.param('id'))
    if (!(await sessions.endOne({ userId: sub, sessionId }, 'ended_by_user', c.get('context'))))
      throw new Problem('not_found')
    return c.body(null, 204)
  })

  routes.delete('/sessions', async (c) => {
    const { sub, sid } = requireUser(c.get('user'))
    await sessions.endOthers({ userId: sub, sessionId: sid }, c.get('context'))
    return c.body(null, 204)
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

import type { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { TrieRouter } from 'hono/router/trie-router'
import { Problem } from '../../shared/http/errors.ts'
import type { OriginEnv } from './request-context.ts'

/**
 * Rejects other methods on the paths of the routes registered so far (RFC 9110, section 15.5.6).
 * Without this a caller that needs no assertion would get the error of a missing one.
 *
 * @param app its routes at this moment count; later ones do not
 * @throws Problem `method_not_allowed`
 */
export function rejectOtherMethods({ routes }: Hono<OriginEnv>) {
  const router = new TrieRouter<string>()
  // Middleware is registered for all methods.
  for (const { path, method } of routes) if (method !== 'ALL') router.add('ALL', path, method)

  return createMiddleware(async function rejectOtherMethods(c, next) {
    const found = router.match('ALL', c.req.path)[0].map(([method]) => method)
    const allowed = new Set(found.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
    if (allowed.size > 0 && !allowed.has(c.req.method))
      throw new Problem('method_not_allowed', { headers: { allow: [...allowed].join(', ') } })
    await next()
  })
}

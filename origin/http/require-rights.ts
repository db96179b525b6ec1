import { createMiddleware } from 'hono/factory'
import { judgeRights, type Rights, rightsProblem } from '../../shared/auth/authorization.ts'
import { type OriginEnv, requireUser } from './request-context.ts'

/**
 * Asks the signed-in caller for rights, as a row of the policy table does. The table has asked
 * before; this holds where a row is missing what it should ask for.
 *
 * @throws Problem `token_missing`, `permission_required`, `level_required`, `feature_required`
 */
export function requireRights(rights: Rights) {
  return createMiddleware<OriginEnv>(async function requireRights(c, next) {
    const problem = rightsProblem(judgeRights(rights, requireUser(c.get('user'))))
    if (problem) throw problem
    await next()
  })
}

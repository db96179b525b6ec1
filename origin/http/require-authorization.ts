import { createMiddleware } from 'hono/factory'
import {
  type Authorization,
  authorizationProblem,
  evaluateAuthorization,
} from '../../shared/auth/authorization.ts'
import { type OriginEnv, requireUser } from './request-context.ts'

/**
 * Requires permissions, features or a level of the signed-in user, as a row of the policy table
 * does. The gateway has checked them before; this check covers a row that lacks one.
 *
 * @throws Problem `token_missing`, `permission_required`, `level_required`, `feature_required`
 */
export function requireAuthorization(authorization: Authorization) {
  return createMiddleware<OriginEnv>(async function requireAuthorization(c, next) {
    const problem = authorizationProblem(evaluateAuthorization(authorization, requireUser(c.get('user'))))
    if (problem) throw problem
    await next()
  })
}

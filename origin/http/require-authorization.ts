import { createMiddleware } from 'hono/factory'
import {
  type Authorization,
  authorizationProblem,
  evaluateAuthorization,
} from '../../shared/auth/authorization.ts'
import { type OriginEnv, requireUser } from './request-context.ts'

/**
 * Asks the signed-in caller for rights, as a row of the policy table does. The table has asked
 * before; this holds where a row is missing what it should ask for.
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

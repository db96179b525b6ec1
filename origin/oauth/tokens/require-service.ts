import { createMiddleware } from 'hono/factory'
import { bearerToken } from '../../../shared/auth/bearer-token.ts'
import type { Scope } from '../../../shared/contract/oauth/scopes.ts'
import { Problem } from '../../../shared/http/errors.ts'
import { type OriginEnv, userAgentOf } from '../../http/request-context.ts'
import type { Service, VerifyServiceToken } from './service-token.ts'

export interface ServiceEnv extends OriginEnv {
  Variables: OriginEnv['Variables'] & { service: Service }
}

/** @throws Problem `token_missing`, `invalid_token` */
export async function authenticateService(
  authorization: string | undefined,
  verify: VerifyServiceToken,
): Promise<Service> {
  if (authorization === undefined) throw new Problem('token_missing')
  const token = bearerToken(authorization)
  const service = token && (await verify(token))
  if (!service) throw new Problem('invalid_token')
  return service
}

/**
 * Admits services by their own token (client credentials at /oauth/token). A user's token, an
 * assertion of the gateway or a forged header has no effect.
 *
 * @throws Problem `token_missing`, `invalid_token`
 */
export function requireService(verify: VerifyServiceToken) {
  return createMiddleware<ServiceEnv>(async function requireService(c, next) {
    c.set('service', await authenticateService(c.req.header('authorization'), verify))
    c.set('context', {
      ip: null,
      userAgent: userAgentOf(c),
      requestId: c.get('requestId'),
    })
    await next()
  })
}

/** @throws Problem `scope_required` */
export function requireScope(scope: Scope) {
  return createMiddleware<ServiceEnv>(async function requireScope(c, next) {
    if (!c.get('service').scopes.includes(scope))
      throw new Problem('scope_required', { members: { required_scope: scope } })
    await next()
  })
}

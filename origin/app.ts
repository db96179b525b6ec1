import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { HTTPException } from 'hono/http-exception'
import { Problem, problemResponse } from '../shared/errors.ts'
import type { OpenAssertion } from '../shared/identity.ts'
import type { Log } from '../shared/log.ts'
import { requestLog } from '../shared/request-log.ts'
import { createAccountRoutes } from './accounts/routes.ts'
import { createAuthRoutes } from './auth/routes.ts'
import type { AuthService } from './auth/service.ts'
import { type OriginEnv, requireGateway } from './caller.ts'
import { isDatabaseUnavailable, type Sql } from './database.ts'
import { createHealthRoutes } from './health/routes.ts'
import type { KeyRing } from './keys/key-ring.ts'
import { createWellKnownRoutes } from './well-known/routes.ts'

interface OriginOptions {
  sql: Sql
  auth: AuthService
  keys: KeyRing
  openAssertion: OpenAssertion
  passwordMinLength: number
  log: Log
  isStopping?: () => boolean
}

/** No body of ours needs more: the longest is a registration. */
const bodyBytes = 64 * 1024

const limitBody = bodyLimit({
  maxSize: bodyBytes,
  onError: () => {
    throw new Problem('body_too_large')
  },
})

/** A body that breaks off is its sender's doing, not a failure of ours. */
const capBody = createMiddleware(async function capBody(c, next) {
  try {
    return await limitBody(c, next)
  } catch (cause) {
    throw cause instanceof Problem ? cause : new Problem('bad_request', { cause })
  }
})

/** The service that owns the accounts. Answers the gateway; health and public keys to anyone on its network. */
export function createOrigin(options: OriginOptions) {
  const { sql, auth, keys, openAssertion, passwordMinLength, log, isStopping = () => false } = options
  const app = new Hono<OriginEnv>()

  app.use(requestLog(log))
  app.route('/', createHealthRoutes({ sql, isStopping }))
  app.route('/.well-known', createWellKnownRoutes({ keys }))

  app.use(requireGateway(openAssertion))
  app.use(capBody)
  app.route('/auth', createAuthRoutes({ auth, passwordMinLength }))
  app.route('/v1', createAccountRoutes({ sql }))

  app.notFound(() => {
    throw new Problem('not_found')
  })
  app.onError((error, c) => {
    const problem = toProblem(error)
    if (problem.status >= 500) {
      log.error({ request_id: c.get('requestId'), code: problem.code, err: error }, 'request failed')
    } else if (problem.cause !== undefined) {
      log.info(
        { request_id: c.get('requestId'), code: problem.code, reason: problem.cause },
        'request refused',
      )
    }
    return problemResponse(problem, c.get('requestId'))
  })
  return app
}

function toProblem(error: Error): Problem {
  if (error instanceof Problem) return error
  // What Hono itself throws for a body that is not JSON.
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed_json', { cause: error.message })
  return new Problem(isDatabaseUnavailable(error) ? 'database_unavailable' : 'internal_error', {
    cause: error,
  })
}

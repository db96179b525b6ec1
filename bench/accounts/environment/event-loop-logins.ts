import { createHmac } from 'node:crypto'
import bcrypt from 'bcryptjs'
import { Hono } from 'hono'
import { createAuthRoutes } from '../../../origin/auth/routes.ts'
import { createAuthService } from '../../../origin/auth/service.ts'
import type { OriginConfig } from '../../../origin/config.ts'
import type { Sql } from '../../../origin/db/types.ts'
import { createEmailTokens } from '../../../origin/email-tokens/email-tokens.ts'
import { createCookieOrigins } from '../../../origin/http/cookie-origins.ts'
import { authenticateGateway, type OriginEnv, requireGateway } from '../../../origin/http/request-context.ts'
import { createDeviceTokens } from '../../../origin/lockout/device-tokens.ts'
import { createLockout } from '../../../origin/lockout/lockout.ts'
import { createMessages } from '../../../origin/mail/messages.ts'
import type { Mail } from '../../../origin/mail/service.ts'
import type { PasswordHasher } from '../../../origin/passwords/hasher.ts'
import { createPasswordMatcher } from '../../../origin/passwords/matcher.ts'
import { createRefreshCookie } from '../../../origin/sessions/refresh-cookie.ts'
import { createAssertionVerifier } from '../../../shared/auth/assertion.ts'
import { problemResponse } from '../../../shared/http/errors.ts'
import { toProblem } from '../../../shared/http/report-error.ts'
import { requestLog } from '../../../shared/http/request-log.ts'
import type { Log } from '../../../shared/lib/log.ts'
import { createBenchSessions } from './bench-sessions.ts'

/**
 * The origin's login without its pool: hashed on the event loop by bcryptjs's own promises, which
 * give way every 100 ms. That is what its manual shows, and kinder to other requests than the
 * synchronous form.
 */
export async function buildEventLoopLogins(config: OriginConfig, sql: Sql, log: Log) {
  const hasher = await createEventLoopHasher(config.PASSWORD_DIGEST_KEY, config.PASSWORD_HASH_COST)
  const mail = mailNobody(config.FRONTEND_URL)
  const auth = createAuthService({
    sql,
    passwords: {
      hashNew: (password) => hasher.hash(password),
      rehash: async () => undefined,
    },
    lockout: createLockout({
      sql,
      passwords: createPasswordMatcher(hasher, undefined),
      maxAttempts: config.LOCKOUT_TRIES,
      windowSeconds: config.LOCKOUT_WINDOW_SECONDS,
      queue: 64,
      lockoutSeconds: config.LOCKOUT_SECONDS,
      notifyOwner: async () => {},
    }),
    loginLimit: { admit: async () => {}, failed: async () => {}, reset: async () => {} },
    sessions: await createBenchSessions(config, sql),
    deviceTokens: createDeviceTokens(config.DEVICE_COOKIE_KEY),
    emailTokens: createEmailTokens(mail),
    mail,
    requireVerifiedEmail: config.REQUIRE_VERIFIED_EMAIL,
    rememberDeviceSeconds: 0,
  })
  const verifyAssertion = await createAssertionVerifier({
    keys: config.ASSERTION_PUBLIC_JWKS.keys,
    audience: 'origin',
  })
  const cookieOrigins = createCookieOrigins([])
  const refreshCookie = createRefreshCookie({
    origins: cookieOrigins,
    maxAgeSeconds: config.REFRESH_TOKEN_SECONDS,
  })

  const app = new Hono<OriginEnv>()
  app.use(requestLog(log), authenticateGateway(verifyAssertion), requireGateway)
  app.route(
    '/auth',
    createAuthRoutes({
      auth,
      // No account of the benchmark has a second factor.
      factorLogin: { login: async () => ({ kind: 'mfa_token_invalid' }) },
      refreshCookie,
      cookieOrigins,
      passwordMinLength: config.PASSWORD_MIN_LENGTH,
    }),
  )
  app.onError((error, c) => {
    return problemResponse(toProblem(error), c.get('requestId'))
  })
  return app
}

async function createEventLoopHasher(digestKey: Uint8Array, cost: number): Promise<PasswordHasher> {
  const digest = (password: string) =>
    createHmac('sha256', digestKey).update(password.normalize('NFC')).digest('base64')
  const nobodysHash = await bcrypt.hash(digest(crypto.randomUUID()), cost)
  return {
    hash: (password) => bcrypt.hash(digest(password), cost),
    async matches(password, storedHash) {
      const same = await bcrypt.compare(digest(password), storedHash ?? nobodysHash)
      return same && typeof storedHash === 'string'
    },
    isOutdated: () => false,
  }
}

/** A bench has no registration and no lockout. */
function mailNobody(frontendUrl: string): Mail {
  return {
    messages: createMessages({ frontendUrl, product: 'Gatehouse' }),
    enqueue: async () => {},
    wake: () => {},
  }
}

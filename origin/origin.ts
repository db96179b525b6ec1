import { Registry } from 'prom-client'
import { createAssertionVerifier, gatewayAudience } from '../shared/auth/assertion.ts'
import { serviceAudience } from '../shared/auth/claims.ts'
import type { PublicJwk } from '../shared/auth/jwk.ts'
import { check } from '../shared/http/health.ts'
import type { BeginSpan } from '../shared/http/tracing.ts'
import type { Log } from '../shared/lib/log.ts'
import { processEmailTokenRequests } from './accounts/email-token-requests.ts'
import { createMetadataService } from './accounts/metadata-service.ts'
import { createProfileService } from './accounts/profile-service.ts'
import { createRoleService } from './admin/role-service.ts'
import { createUserService } from './admin/user-service.ts'
import { createApiKeyExchange } from './api-keys/exchange.ts'
import { createApiKeyService } from './api-keys/service.ts'
import { createApp } from './app.ts'
import { createFactorLogin } from './auth/factor-login.ts'
import { createLoginLimit } from './auth/login-limit.ts'
import { createAuthService } from './auth/service.ts'
import type { OriginConfig } from './config.ts'
import { closeSeconds, createDatabase } from './db/database.ts'
import { requireUsableSchema } from './db/migrate.ts'
import { selectReadOnly } from './db/writable.ts'
import { createEmailTokens } from './email-tokens/email-tokens.ts'
import { createRequireStepUp } from './factors/assurance.ts'
import { createCodeLimit } from './factors/code-limit.ts'
import { createRecoveryCodeHasher } from './factors/recovery-codes.ts'
import { createFactorService } from './factors/service.ts'
import { createStepUpService } from './factors/step-up.ts'
import { createCodeVerifier } from './factors/verify-code.ts'
import { createCookieOrigins } from './http/cookie-origins.ts'
import { createAccountImporter } from './import/service.ts'
import { createAssertionKeys } from './keys/assertion-keys.ts'
import { createEncryption } from './keys/encryption.ts'
import { createFirstKey } from './keys/first-key.ts'
import { createKeyRing } from './keys/key-ring.ts'
import { assertionKeyWaits, keyWaits } from './keys/rules.ts'
import { createKeyService } from './keys/service.ts'
import { startKeyUpkeep } from './keys/upkeep.ts'
import { createConfiguredExchange } from './legacy/configured-exchange.ts'
import { createServiceLimit } from './limits/limit-services.ts'
import { createLimits } from './limits/limits.ts'
import { createRejectionLog } from './limits/rejection-log.ts'
import { createAttemptLimit } from './lockout/attempt-limit.ts'
import { createDeviceTokens } from './lockout/device-tokens.ts'
import { createLockout } from './lockout/lockout.ts'
import { createMailBudget } from './mail/budget.ts'
import { createMailer } from './mail/mailer.ts'
import { createMessages } from './mail/messages.ts'
import { createOutbox } from './mail/outbox.ts'
import { startRelay } from './mail/relay.ts'
import { createMail } from './mail/service.ts'
import { createEventMetrics } from './metrics/events.ts'
import { measureQueries } from './metrics/measured-sql.ts'
import { selectSharedState } from './metrics/queries.ts'
import { logSlowQueries } from './metrics/slow-queries.ts'
import { createStateMetrics } from './metrics/state.ts'
import { createOAuthService } from './oauth/service.ts'
import { createServiceTokenVerifier } from './oauth/tokens/service-token.ts'
import { createPasswordHasher } from './passwords/hasher.ts'
import { createConfiguredVerifier } from './passwords/legacy-verifier.ts'
import { createPasswordMatcher } from './passwords/matcher.ts'
import { createPasswordPolicy, strengthWorker } from './passwords/policy.ts'
import { createPasswordService } from './passwords/service.ts'
import { createWorkerPool, hashThreads } from './passwords/worker-pool.ts'
import { createPlanService } from './plans/service.ts'
import { withPublishOnCommit } from './revocations/after-commit.ts'
import { selectRevocations } from './revocations/queries.ts'
import { revocationLifeSeconds } from './revocations/rules.ts'
import { startRevocations } from './revocations/service.ts'
import { createSessions, createUserTokens } from './sessions/create-sessions.ts'
import { createRefreshCookie } from './sessions/refresh-cookie.ts'
import { createSignedUrls } from './signed-urls/service.ts'
import { createBilling } from './subscriptions/billing.ts'
import { createSubscriptionService } from './subscriptions/service.ts'
import { upkeepJobs } from './upkeep/jobs.ts'
import { createUpkeepRunner, runSeconds } from './upkeep/runner.ts'
import { startUpkeepScheduler } from './upkeep/scheduler.ts'
import { createUpkeepService } from './upkeep/service.ts'

/** Health, metrics, the relay of revocations and their feed. */
const systemConnections = 2

/** Less than gateways wait for the feed. */
const systemSeconds = 4

/** The context of audit rows that a start writes. */
const startContext = () => ({ ip: null, userAgent: 'origin', requestId: crypto.randomUUID() })

/**
 * The composition root of the origin.
 *
 * @throws Error where this code does not run on the schema, or production has no signing key
 */
export async function createOrigin(
  config: OriginConfig,
  log: Log,
  { isStopping, beginSpan }: { isStopping?: () => boolean; beginSpan?: BeginSpan | undefined } = {},
) {
  const registry = new Registry()
  const events = createEventMetrics(registry)
  const connect = (poolMax: number, statementSeconds: number, lockSeconds: number) =>
    createDatabase({
      url: config.DATABASE_URL,
      poolMax,
      idleSeconds: config.DATABASE_IDLE_SECONDS,
      connectionSeconds: config.DATABASE_CONNECTION_SECONDS,
      connectSeconds: config.DATABASE_CONNECT_SECONDS,
      statementSeconds,
      lockSeconds,
      log,
    })
  const pooled = connect(
    config.DATABASE_POOL_MAX,
    config.DATABASE_STATEMENT_SECONDS,
    config.DATABASE_LOCK_SECONDS,
  )
  const logSlow = logSlowQueries(log, config.DATABASE_SLOW_MS)
  const { sql: measured, load: poolLoad } = measureQueries(pooled, (query) => {
    events.queryEnded(query)
    logSlow(query)
  })
  const sql = withPublishOnCommit(measured, (entries) => revocations.publishNow(entries))
  // A pool of one says that the database takes one connection, as the embedded one does: all share
  // it.
  const isShared = config.DATABASE_POOL_MAX === 1
  // Health checks and publishing of revocations do not wait behind requests.
  const systemSql = isShared ? sql : connect(systemConnections, systemSeconds, systemSeconds)
  await requireUsableSchema(sql)

  const encryption = createEncryption(config.KEY_ENCRYPTION_KEY)
  if (config.NODE_ENV !== 'production') await createFirstKey(sql, encryption)
  const keys = await createKeyRing(sql, encryption)
  const keyService = createKeyService({ sql, encryption, waits: keyWaits(config) })
  const keyUpkeep = startKeyUpkeep({ takeStep: keyService.takeStep, ring: keys, log })

  // No request needs the first assertion key: gateways sign with their own until services have it.
  await createFirstKey(sql, encryption, startContext(), 'assertion_keys')
  const assertionWaits = assertionKeyWaits(config)
  const assertionKeys = await createAssertionKeys({
    sql,
    encryption,
    waits: assertionWaits,
    gatewayKeys: config.ASSERTION_PUBLIC_JWKS.keys,
  })
  const assertionKeyUpkeep = startKeyUpkeep({
    takeStep: createKeyService({ sql, encryption, waits: assertionWaits, table: 'assertion_keys' }).takeStep,
    ring: assertionKeys,
    log,
  })

  const limits = createLimits(config, sql, log)
  const rejections = createRejectionLog({ sql: systemSql, log, onRejected: events.limitExceeded })
  const recordRejection = rejections.record
  const countServiceRequest = createServiceLimit({ limit: limits.service, recordRejection })

  const mailer = createMailer({ smtpUrl: config.SMTP_URL, from: config.MAIL_FROM, log })
  const budget = createMailBudget({ limits: limits.mails, recordRejection })
  const outbox = createOutbox({ sql, encryption, mailer, budget, log, onAttempt: events.mailAttempted })
  const messages = createMessages({ frontendUrl: config.FRONTEND_URL, product: config.PRODUCT_NAME })
  const mail = createMail(messages, outbox, { wake: () => relay.wake() })
  const emailTokens = createEmailTokens(mail)
  const relay = startRelay({
    async deliver(signal) {
      let isLeft = true
      while (isLeft) {
        isLeft = await processEmailTokenRequests({ sql, emailTokens }, signal)
        await outbox.deliverDue(signal)
      }
    },
    log,
  })

  const pool = createWorkerPool({
    threads: hashThreads(config.PASSWORD_HASH_THREADS),
    queue: config.PASSWORD_HASH_QUEUE,
    onTask: events.passwordTaskEnded,
  })
  const hasher = await createPasswordHasher({
    pool,
    digestKey: config.PASSWORD_DIGEST_KEY,
    cost: config.PASSWORD_HASH_COST,
    importedCost: config.IMPORTED_HASH_COST,
  })
  const legacyVerifier = createConfiguredVerifier(config)
  // A thread that estimates strength keeps 80 MB of word lists: one thread is enough.
  const strengthPool = createWorkerPool({
    threads: 1,
    queue: config.PASSWORD_HASH_QUEUE,
    heavyModule: strengthWorker,
    onTask: events.passwordTaskEnded,
  })
  const passwords = createPasswordPolicy(strengthPool, hasher, config.PRODUCT_NAME)
  const lockout = createLockout({
    sql,
    passwords: createPasswordMatcher(hasher, legacyVerifier),
    maxAttempts: config.LOCKOUT_TRIES,
    windowSeconds: config.LOCKOUT_WINDOW_SECONDS,
    lockoutSeconds: config.LOCKOUT_SECONDS,
    queue: config.PASSWORD_HASH_QUEUE,
    notifyOwner: (transaction, email, { until }) =>
      mail.enqueue(transaction, email, mail.messages.lockoutStarted({ lockoutEndsAt: until })),
  })

  const codeAttempts = createAttemptLimit({
    sql,
    subject: 'code',
    maxAttempts: config.LOCKOUT_TRIES,
    windowSeconds: config.LOCKOUT_WINDOW_SECONDS,
    lockoutSeconds: config.LOCKOUT_SECONDS,
    queue: config.PASSWORD_HASH_QUEUE,
    // Attempts at codes come from somebody who knows the password, on any device.
    notifiesOf: 'any_group',
    notifyOwner: (transaction, email, { until, isKnownDevice }) =>
      mail.enqueue(transaction, email, mail.messages.codesLocked({ lockoutEndsAt: until, isKnownDevice })),
  })
  const hashRecoveryCode = createRecoveryCodeHasher(config.PASSWORD_DIGEST_KEY)
  const codes = createCodeVerifier({ encryption, hashRecoveryCode, now: Date.now })
  const codeLimit = createCodeLimit({ sql, attempts: codeAttempts, codes, mail })
  const requireStepUp = createRequireStepUp({ sql, maxAgeSeconds: config.STEP_UP_SECONDS })

  const issuer = config.ISSUER_URL
  const sessions = createSessions(config, { sql, keys, onRefresh: events.refreshEnded })
  const cookieOrigins = createCookieOrigins([new URL(issuer).origin, ...config.CORS_ORIGINS])
  const refreshCookie = createRefreshCookie({
    origins: cookieOrigins,
    maxAgeSeconds: config.REFRESH_TOKEN_SECONDS,
  })
  const deviceTokens = createDeviceTokens(config.DEVICE_COOKIE_KEY)
  const loginLimit = createLoginLimit({
    sql,
    failures: limits.login,
    resets: limits.loginResets,
    recordRejection,
  })
  const auth = createAuthService({
    sql,
    passwords,
    lockout,
    loginLimit,
    sessions,
    deviceTokens,
    emailTokens,
    mail,
    requireVerifiedEmail: config.REQUIRE_VERIFIED_EMAIL,
    rememberDeviceSeconds: config.MFA_DEVICE_SECONDS,
    onRegistration: events.registrationEnded,
    onLogin: events.loginEnded,
  })
  const factorLogin = createFactorLogin({
    sql,
    codes,
    codeLimit,
    sessions,
    deviceTokens,
    mail,
    onLogin: events.loginEnded,
  })
  const oauth = createOAuthService({
    sql,
    keys,
    issuer,
    userAudience: config.ACCESS_TOKEN_AUDIENCE,
    serviceTokenSeconds: config.SERVICE_TOKEN_SECONDS,
    sessions,
  })

  const exchange = await createConfiguredExchange(config, {
    sql,
    sessions,
    onExchange: events.exchangeEnded,
    log,
  })
  const exchangesTokens = config.LEGACY_ISSUERS.length > 0

  const lifeSeconds = revocationLifeSeconds(config.ACCESS_TOKEN_SECONDS)
  const revocations = startRevocations({
    sql: systemSql,
    redisUrl: config.REDIS_URL,
    keyPrefix: config.REDIS_KEY_PREFIX,
    lifeSeconds,
    onPublished: events.revocationsPublished,
    log,
  })

  const jobs = upkeepJobs(config)
  const upkeepSql = isShared ? sql : connect(1, runSeconds, runSeconds)
  const runner = createUpkeepRunner({ sql: upkeepSql, log, onRun: events.upkeepEnded })
  const upkeepScheduler = await startUpkeepScheduler({ sql, jobs, runner, log })

  const { requireRedis } = revocations
  createStateMetrics({
    registry,
    poolLoad,
    passwordQueues: () => ({
      hash: { length: pool.waiting(), limit: config.PASSWORD_HASH_QUEUE },
      strength: { length: strengthPool.waiting(), limit: config.PASSWORD_HASH_QUEUE },
    }),
    isRedisUp:
      requireRedis &&
      (async () => {
        const parts = await Promise.all([check(requireRedis), limits.health?.()])
        return parts.every((part) => part?.status === 'pass')
      }),
    askDatabase: async () => ({ readOnly: await selectReadOnly(systemSql) }),
    readShared: () =>
      selectSharedState(
        systemSql,
        jobs.map(({ name }) => name),
      ),
    log,
  })

  const verifierFor = (audience: string, rotatedKeys?: () => readonly PublicJwk[]) =>
    createAssertionVerifier({
      keys: config.ASSERTION_PUBLIC_JWKS.keys,
      ...(rotatedKeys && { rotatedKeys }),
      audience,
      onRejected: (reason) => log.warn({ reason, audience }, 'assertion refused'),
    })
  const verifyServiceToken = createServiceTokenVerifier({
    publicKeys: keys.published,
    issuer,
    audience: serviceAudience,
  })
  const app = createApp({
    log,
    onResponse: events.recordResponse,
    beginSpan,
    onRejected: events.recordRejection,
    gateways: {
      plans: { sql },
      rateLimitReports: { sql, log },
      denialReports: { sql, log },
      assertionKeys: { assertionKeys },
      usageReports: { sql, log },
      apiKeys: {
        sql,
        exchangeApiKey: createApiKeyExchange({ sql, accessTokens: createUserTokens(config, keys) }),
        log,
      },
      verifyGatewayAssertion: await verifierFor(gatewayAudience),
      revocations: { readRevocations: (after) => selectRevocations(systemSql, after, lifeSeconds) },
    },
    internal: {
      sql,
      billing: { billing: createBilling({ sql }) },
      metadata: { metadata: createMetadataService({ sql }) },
      imports: {
        importer: createAccountImporter({ sql, encryption }),
        rules: {
          hashCost: Math.max(config.PASSWORD_HASH_COST, config.IMPORTED_HASH_COST ?? 0),
          hasVerifier: legacyVerifier !== undefined,
        },
      },
      verifyServiceToken,
      countServiceRequest,
    },
    forwarding: {
      sql,
      verify: verifyServiceToken,
      limits: limits.forwarded,
      countServiceRequest,
      recordRejection,
    },
    verifyAssertion: await verifierFor('origin', assertionKeys.rotated),
    health: { sql: systemSql, poolLoad, askRedis: requireRedis, limitsHealth: limits.health, isStopping },
    assertionKeys: { assertionKeys },
    wellKnown: { keys, issuer, exchangesTokens },
    oauth: {
      oauth,
      exchange: exchangesTokens ? exchange : undefined,
      onRejected: events.recordRejection,
      log,
    },
    auth: { auth, factorLogin, refreshCookie, cookieOrigins, passwordMinLength: config.PASSWORD_MIN_LENGTH },
    sessions: { sessions, refreshCookie },
    legacy: {
      exchange,
      cookies: config.LEGACY_ISSUERS.flatMap(({ cookie }) => cookie ?? []),
      refreshCookie,
      cookieOrigins,
    },
    passwords: {
      passwords: createPasswordService({
        sql,
        passwords,
        lockout,
        resetLoginLimit: loginLimit.reset,
        sessions,
        emailTokens,
        mail,
      }),
      deviceTokens,
      cookieOrigins,
      requireStepUp,
      passwordMinLength: config.PASSWORD_MIN_LENGTH,
    },
    factors: {
      factors: createFactorService({
        sql,
        encryption,
        hashRecoveryCode,
        codeAttempts,
        sessions,
        mail,
        product: config.PRODUCT_NAME,
      }),
      stepUps: createStepUpService({
        sql,
        lockout,
        codes,
        codeLimit,
        sessions,
        mail,
        onStepUp: events.stepUpEnded,
      }),
      requireStepUp,
    },
    email: { sql, emailTokens, lockout, mail },
    signedUrls: {
      urls: createSignedUrls({
        sql,
        keys,
        issuer,
        audience: config.ACCESS_TOKEN_AUDIENCE,
        streamSeconds: config.ACCESS_TOKEN_SECONDS,
        aal2Seconds: config.MFA_SECONDS,
      }),
    },
    profile: { profiles: createProfileService({ sql }) },
    users: { sql, users: createUserService({ sql, resetLoginLimit: loginLimit.reset, mail }), requireStepUp },
    apiKeys: {
      sql,
      apiKeys: createApiKeyService({
        sql,
        mail,
        perUser: config.API_KEYS_PER_USER,
        maxDays: config.API_KEY_DAYS,
      }),
      upgradePage: config.UPGRADE_URL,
      requireStepUp,
    },
    roles: { sql, roles: createRoleService({ sql }), requireStepUp },
    audit: { sql },
    usage: { sql },
    clients: { sql },
    upkeep: { upkeep: createUpkeepService({ sql, jobs, runner }) },
    plans: { sql, plans: createPlanService({ sql }), requireStepUp },
    subscriptions: {
      sql,
      subscriptions: createSubscriptionService({ sql }),
      upgradePage: config.UPGRADE_URL,
      requireStepUp,
    },
  })

  return {
    app,
    sql,
    registry,
    /** Stores what the limits have refused up to now. */
    flushRejections: rejections.flush,
    async close() {
      upkeepScheduler.stop()
      await Promise.all([
        keyUpkeep.stop(),
        assertionKeyUpkeep.stop(),
        relay.stop(),
        revocations.stop(),
        runner.stop(closeSeconds),
      ])
      await Promise.all([keyUpkeep.stop(), relay.stop(), revocations.stop(), runner.stop(closeSeconds)])
      await rejections.close()
      limits.close()
      mailer.close()
      await Promise.all([pool.close(), strengthPool.close()])
      await upkeepSql.end({ timeout: closeSeconds })
      await systemSql.end({ timeout: closeSeconds })
      await sql.end({ timeout: closeSeconds })
    },
  }
}

import type { Config } from '../shared/config.ts'
import { createAssertionOpener } from '../shared/identity.ts'
import type { Log } from '../shared/log.ts'
import { createOrigin } from './app.ts'
import { createAccessTokens } from './auth/access-tokens.ts'
import { createPasswordHasher } from './auth/passwords.ts'
import { createAuthService } from './auth/service.ts'
import type { originVariables } from './config.ts'
import { closeSeconds, createDatabase } from './database.ts'
import { createFirstKey, createKeyRing } from './keys/key-ring.ts'
import { createSealing } from './keys/sealing.ts'
import { requireNewestSchema } from './migrate.ts'

export type OriginConfig = Config<(typeof originVariables)[number]>

/** How soon a replica follows a rotation; far below the time a published key waits before it signs. */
const keyRefreshSeconds = 30

/**
 * Puts the origin's parts together.
 *
 * @throws Error where the schema is not the one this code knows, or there is no signing key in production
 */
export async function buildOrigin(config: OriginConfig, log: Log, isStopping?: () => boolean) {
  const sql = createDatabase({
    url: config.DATABASE_URL,
    poolMax: config.DATABASE_POOL_MAX,
    idleSeconds: config.DATABASE_IDLE_SECONDS,
    connectSeconds: config.DATABASE_CONNECT_SECONDS,
    statementSeconds: config.DATABASE_STATEMENT_SECONDS,
    log,
  })
  await requireNewestSchema(sql)

  const sealing = await createSealing(config.KEY_ENCRYPTION_KEY)
  if (config.NODE_ENV !== 'production') await createFirstKey(sql, sealing)
  const keys = await createKeyRing(sql, sealing)
  const keyRefresh = setInterval(() => {
    keys.refresh().catch((error) => log.error({ err: error }, 'signing keys not read'))
  }, keyRefreshSeconds * 1000)

  const passwords = await createPasswordHasher({
    digestKey: config.PASSWORD_DIGEST_KEY,
    cost: config.PASSWORD_HASH_COST,
    threads: config.PASSWORD_HASH_THREADS,
    queue: config.PASSWORD_HASH_QUEUE,
  })
  const auth = createAuthService({
    sql,
    passwords,
    refreshSeconds: config.REFRESH_TOKEN_SECONDS,
    sessionSeconds: config.SESSION_SECONDS,
    accessTokens: createAccessTokens({
      keys,
      issuer: config.ISSUER_URL,
      audience: config.ACCESS_TOKEN_AUDIENCE,
      lifeSeconds: config.ACCESS_TOKEN_SECONDS,
    }),
  })
  const app = createOrigin({
    sql,
    keys,
    auth,
    log,
    passwordMinLength: config.PASSWORD_MIN_LENGTH,
    openAssertion: await createAssertionOpener({
      keys: config.ASSERTION_PUBLIC_JWKS.keys,
      audience: 'origin',
    }),
    ...(isStopping && { isStopping }),
  })

  return {
    app,
    sql,
    async close() {
      clearInterval(keyRefresh)
      await passwords.close()
      await sql.end({ timeout: closeSeconds })
    },
  }
}

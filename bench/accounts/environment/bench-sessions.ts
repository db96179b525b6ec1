import type { OriginConfig } from '../../../origin/config.ts'
import type { Sql } from '../../../origin/db/types.ts'
import { createAccessTokens } from '../../../origin/sessions/access-tokens.ts'
import { createRefreshTokens } from '../../../origin/sessions/refresh-tokens.ts'
import { createSessionService } from '../../../origin/sessions/service.ts'
import { createOneKey } from './one-key.ts'

type SessionConfig = Pick<
  OriginConfig,
  | 'ISSUER_URL'
  | 'ACCESS_TOKEN_AUDIENCE'
  | 'ACCESS_TOKEN_SECONDS'
  | 'REFRESH_TOKEN_KEY'
  | 'REFRESH_TOKEN_SECONDS'
  | 'SESSION_SECONDS'
  | 'REFRESH_GRACE_SECONDS'
  | 'REFRESH_LATE_REPLAYS'
  | 'SESSIONS_PER_USER'
>

/** The origin's sessions in the process of a benchmark, with a signing key of its own. */
export async function createBenchSessions(config: SessionConfig, sql: Sql) {
  return createSessionService({
    sql,
    accessTokens: createAccessTokens({
      keys: await createOneKey(),
      issuer: config.ISSUER_URL,
      audience: config.ACCESS_TOKEN_AUDIENCE,
      lifeSeconds: config.ACCESS_TOKEN_SECONDS,
    }),
    refreshTokens: createRefreshTokens(config.REFRESH_TOKEN_KEY),
    idleSeconds: config.REFRESH_TOKEN_SECONDS,
    absoluteSeconds: config.SESSION_SECONDS,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
    lateReplays: config.REFRESH_LATE_REPLAYS,
    perUser: config.SESSIONS_PER_USER,
  })
}

import type { OriginConfig } from '../config.ts'
import type { Sql } from '../db/types.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { createAccessTokens } from './access-tokens.ts'
import { createRefreshTokens } from './refresh-tokens.ts'
import { createSessionService, type PresentedTokenKind } from './service.ts'

export type SessionConfig = Pick<
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
  | 'MFA_SECONDS'
>

interface Dependencies {
  sql: Sql
  keys: Pick<KeyRing, 'signing'>
  /** Called for each presented refresh token. */
  onRefresh?: (kind: PresentedTokenKind) => void
}

/** The access tokens of users, as the configuration has them. */
export const createUserTokens = (config: SessionConfig, keys: Pick<KeyRing, 'signing'>) =>
  createAccessTokens({
    keys,
    issuer: config.ISSUER_URL,
    audience: config.ACCESS_TOKEN_AUDIENCE,
    lifeSeconds: config.ACCESS_TOKEN_SECONDS,
    aal2Seconds: config.MFA_SECONDS,
  })

/** The session service as the configuration has it. */
export const createSessions = (config: SessionConfig, { sql, keys, onRefresh }: Dependencies) =>
  createSessionService({
    sql,
    accessTokens: createUserTokens(config, keys),
    refreshTokens: createRefreshTokens(config.REFRESH_TOKEN_KEY),
    idleSeconds: config.REFRESH_TOKEN_SECONDS,
    absoluteSeconds: config.SESSION_SECONDS,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
    lateReplays: config.REFRESH_LATE_REPLAYS,
    perUser: config.SESSIONS_PER_USER,
    ...(onRefresh && { onRefresh }),
  })

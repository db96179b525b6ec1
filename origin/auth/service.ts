import type { TokenAnswer } from '../../shared/contract.ts'
import { Problem } from '../../shared/errors.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Client } from '../caller.ts'
import type { Queryable, Sql } from '../database.ts'
import { selectEntitlements } from '../entitlements/queries.ts'
import type { AccessTokens } from './access-tokens.ts'
import type { PasswordHasher } from './passwords.ts'
import {
  type ChainLink,
  endSessionOfToken,
  insertAccount,
  insertLoginAttempt,
  insertRefreshToken,
  insertSession,
  insertSubscription,
  selectCredentials,
  spendRefreshToken,
} from './queries.ts'
import { hashRefreshToken, newRefreshToken } from './refresh-tokens.ts'
import { judgeLogin } from './rules.ts'

interface AuthOptions {
  sql: Sql
  passwords: Pick<PasswordHasher, 'hash' | 'matches'>
  accessTokens: AccessTokens
  /** Idle limit of a refresh token. */
  refreshSeconds: number
  /** Absolute limit of a session. */
  sessionSeconds: number
}

interface Registration {
  email: string
  password: string
  displayName: string | null
}

export type AuthService = ReturnType<typeof createAuthService>

export function createAuthService(options: AuthOptions) {
  const { sql, passwords, accessTokens, refreshSeconds, sessionSeconds } = options

  /** The next link of a session's chain, with an access token made of what the account may do at this moment. */
  async function issueTokens(transaction: Queryable, { userId, sessionId }: ChainLink, client: Client) {
    const entitlements = await selectEntitlements(transaction, userId)
    if (!entitlements)
      throw new Problem('invalid_credentials', { cause: 'account gone while tokens were made' })
    const refreshToken = newRefreshToken()
    await insertRefreshToken(transaction, {
      userId,
      sessionId,
      hash: hashRefreshToken(refreshToken),
      lifeSeconds: refreshSeconds,
      client,
    })
    return {
      access_token: await accessTokens.sign({ userId, sessionId, ...entitlements }),
      token_type: 'Bearer',
      expires_in: accessTokens.lifeSeconds,
      refresh_token: refreshToken,
    } satisfies TokenAnswer
  }

  return {
    /** Account, role, subscription and audit row, or nothing. A taken address takes as long and answers the same. */
    async register({ email, password, displayName }: Registration, client: Client): Promise<void> {
      const passwordHash = await passwords.hash(password)
      await sql.begin(async (transaction) => {
        const userId = await insertAccount(transaction, { email, passwordHash, displayName, role: 'user' })
        if (userId) await insertSubscription(transaction, userId, 'free')
        await insertAuditRow(transaction, {
          action: userId ? 'account.registered' : 'account.registration_refused',
          actorId: userId ?? null,
          userId: userId ?? null,
          client,
        })
      })
    },

    /** @throws Problem `invalid_credentials`, the same for unknown, wrong and disabled; `overloaded` */
    async login(email: string, password: string, client: Client): Promise<TokenAnswer> {
      const account = await selectCredentials(sql, email)
      const passwordMatches = await passwords.matches(password, account?.passwordHash)
      const outcome = judgeLogin({ account, passwordMatches })

      const answer = await sql.begin(async (transaction) => {
        await insertLoginAttempt(transaction, { email, userId: account?.id ?? null, outcome, client })
        if (outcome !== 'succeeded' || !account) {
          await insertAuditRow(transaction, {
            action: 'login.failed',
            actorId: null,
            userId: account?.id ?? null,
            client,
            details: { reason: outcome },
          })
          return undefined
        }
        const userId = account.id
        const sessionId = await insertSession(transaction, { userId, lifeSeconds: sessionSeconds, client })
        await insertAuditRow(transaction, {
          action: 'login.succeeded',
          actorId: userId,
          userId,
          sessionId,
          client,
        })
        return issueTokens(transaction, { userId, sessionId }, client)
      })
      if (!answer) throw new Problem('invalid_credentials', { cause: outcome })
      return answer
    },

    /**
     * Rotates: the presented token is spent, its successor returned. A token that was spent before ends its session.
     *
     * @throws Problem `refresh_reused`, `refresh_invalid`
     */
    async refresh(refreshToken: string, client: Client): Promise<TokenAnswer> {
      const hash = hashRefreshToken(refreshToken)
      const rotated = await sql.begin(async (transaction) => {
        const link = await spendRefreshToken(transaction, hash)
        return link && issueTokens(transaction, link, client)
      })
      if (rotated) return rotated

      const ended = await sql.begin(async (transaction) => {
        const chain = await endSessionOfToken(transaction, hash, 'refresh_reused')
        if (chain) {
          await insertAuditRow(transaction, {
            action: 'session.refresh_reused',
            actorId: null,
            ...chain,
            client,
          })
        }
        return chain
      })
      throw new Problem(ended ? 'refresh_reused' : 'refresh_invalid')
    },

    /** Ends the token's session. An unknown token is no error: what the caller wants is already so (RFC 7009, 2.2). */
    async logout(refreshToken: string, client: Client): Promise<void> {
      await sql.begin(async (transaction) => {
        const chain = await endSessionOfToken(transaction, hashRefreshToken(refreshToken), 'logout')
        if (chain) {
          await insertAuditRow(transaction, {
            action: 'session.ended',
            actorId: chain.userId,
            ...chain,
            client,
          })
        }
      })
    },
  }
}

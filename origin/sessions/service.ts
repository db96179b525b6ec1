import type { TokenResponse } from '../../shared/contract.ts'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { hashToken } from '../opaque-token.ts'
import type { AccessTokens } from './access-tokens.ts'
import {
  type Authentication,
  countLateReplay,
  endSessions,
  insertRefreshToken,
  insertSession,
  lockSessionForUpdate,
  rotateRefreshToken,
  type SessionEndReason,
  type SessionOwner,
  type SessionWithEntitlements,
  selectLiveSessions,
  selectOwner,
  selectReplay,
  selectReusedOwner,
  selectSurplusSessions,
} from './queries.ts'
import type { RefreshTokens } from './refresh-tokens.ts'

/** The outcome of a presented refresh token; the kinds are values of a metric label. */
type PresentedTokenOutcome =
  | { kind: 'rotated' | 'replayed' | 'replayed_late'; tokens: TokenResponse }
  | { kind: 'reused' }
  | { kind: 'invalid' }

type LateReplayOutcome =
  | { kind: 'replayed' | 'replayed_late'; session: SessionWithEntitlements }
  | { kind: 'reused' | 'invalid' }

/** The address is over its limit, and the token was not issued here. */
interface OverLimitOutcome {
  kind: 'over_limit'
  limit: OverLimit
}

export type RefreshOutcome = PresentedTokenOutcome | OverLimitOutcome

export type LogoutOutcome = { kind: 'done' } | OverLimitOutcome

export type PresentedTokenKind = PresentedTokenOutcome['kind']

interface SessionOptions {
  sql: Sql
  accessTokens: AccessTokens
  refreshTokens: RefreshTokens
  /** Idle limit: a session ends without a refresh for this long. */
  idleSeconds: number
  /** Absolute limit: a session ends at this age. */
  absoluteSeconds: number
  /** How long a spent token still returns its successor; 0 turns that off. */
  graceSeconds: number
  /**
   * Late replays, after the grace window, of a session in 24 hours, and in a row. 0 turns them off,
   * and so does a grace window of 0.
   */
  lateReplays: number
  /** Sessions per account. */
  perUser: number
  /** Called for each presented refresh token. */
  onRefresh?: (kind: PresentedTokenKind) => void
}

export type SessionService = ReturnType<typeof createSessionService>

/** A session owns a chain of refresh tokens, of which one is live. */
export function createSessionService(options: SessionOptions) {
  const { sql, accessTokens, refreshTokens, idleSeconds, absoluteSeconds, graceSeconds, perUser } = options
  const { onRefresh = () => {} } = options
  const lateReplayBudget = graceSeconds > 0 ? options.lateReplays : 0

  async function createTokenResponse(
    session: SessionWithEntitlements,
    refreshToken: string,
  ): Promise<TokenResponse> {
    return { ...(await createAccessTokenResponse(session)), refresh_token: refreshToken }
  }

  async function createAccessTokenResponse(
    session: SessionWithEntitlements,
  ): Promise<Omit<TokenResponse, 'refresh_token'>> {
    const { token, expiresIn } = await accessTokens.sign(session)
    return { access_token: token, token_type: 'Bearer', expires_in: expiresIn }
  }

  /** Ends one session where it still lives, with its revocation and its audit row. */
  async function end(
    transaction: Transaction,
    owner: SessionOwner,
    reason: SessionEndReason,
    context: RequestContext,
  ) {
    const [ended] = await endSessions(transaction, { userId: owner.userId, only: owner.sessionId }, reason)
    if (!ended) return false
    const action = reason === 'refresh_reused' ? 'session.refresh_reused' : 'session.ended'
    const actorId = reason === 'refresh_reused' ? null : owner.userId
    await insertAuditRow(transaction, { action, actorId, ...owner, context, details: { reason } })
    return true
  }

  /**
   * Handles a token that is neither live nor in its grace window. An unused successor means that
   * the response was lost: the phone slept, or the database failed over. A stolen token used
   * alternately causes one late replay per refresh, so the budget ends its session.
   */
  async function replayLate(
    transaction: Transaction,
    hashes: { hash: Uint8Array; successorHash: Uint8Array },
    context: RequestContext,
  ): Promise<LateReplayOutcome> {
    const owner = await selectOwner(transaction, hashes.hash)
    if (!owner) return { kind: 'invalid' }
    await lockSessionForUpdate(transaction, owner.sessionId)
    const late = await countLateReplay(transaction, { ...hashes, graceSeconds, budget: lateReplayBudget })
    // Another request with this token may have been the late replay.
    const session = await selectReplay(transaction, { ...hashes, graceSeconds })
    if (late) {
      await insertAuditRow(transaction, {
        action: 'session.refresh_replayed_late',
        actorId: null,
        ...owner,
        context,
        details: { seconds_since_answered: late.secondsSinceAnswered, late_replays: late.lateReplays },
      })
    }
    if (session) return { kind: late ? 'replayed_late' : 'replayed', session }
    const reused = await selectReusedOwner(transaction, hashes.hash, graceSeconds)
    const ended = reused !== undefined && (await end(transaction, reused, 'refresh_reused', context))
    return { kind: ended ? 'reused' : 'invalid' }
  }

  async function endMany(
    transaction: Transaction,
    userId: string,
    except: string | undefined,
    reason: SessionEndReason,
    context: RequestContext,
  ) {
    const ended = await endSessions(transaction, { userId, ...(except && { except }) }, reason)
    if (ended.length === 0) return
    const details = { reason, count: ended.length }
    await insertAuditRow(transaction, { action: 'session.ended', actorId: userId, userId, context, details })
  }

  /**
   * Rejects forged tokens of an address over its limit, without a query. Within the limit they
   * reach the database, because tokens issued under an earlier REFRESH_TOKEN_KEY have another tag.
   */
  function rejectForged(refreshToken: string, { overLimit }: RequestContext): OverLimitOutcome | undefined {
    if (!overLimit || refreshTokens.kindOf(refreshToken) !== 'forged') return undefined
    onRefresh('invalid')
    return { kind: 'over_limit', limit: overLimit }
  }

  return {
    endMany,

    /**
     * Opens a session inside a login's transaction. Beyond the limit the least recently used
     * session ends. Logins of one account lock its row, so that each sees the others' sessions.
     */
    async open(
      transaction: Transaction,
      userId: string,
      authentication: Authentication,
      context: RequestContext,
    ) {
      const opened = await insertSession(transaction, {
        userId,
        lifeSeconds: absoluteSeconds,
        authentication,
        context,
      })
      const { sessionId } = opened
      const refreshToken = refreshTokens.createFirst()
      const sessionSecondsLeft = await insertRefreshToken(transaction, sessionId, {
        hash: hashToken(refreshToken),
        lifeSeconds: idleSeconds,
        context,
      })
      for (const surplus of await selectSurplusSessions(transaction, userId, perUser)) {
        await end(transaction, { userId, sessionId: surplus }, 'session_limit', context)
      }
      return { ...opened, sessionSecondsLeft, refreshToken }
    },

    createTokenResponse,
    createAccessTokenResponse,

    /**
     * Rotates: the presented token is spent and its successor returned. A token spent within the
     * grace window gets the same successor. A token spent before that gets it while the successor
     * was never used and the session has late replays left; otherwise its session ends.
     */
    async refresh(refreshToken: string, context: RequestContext): Promise<RefreshOutcome> {
      const rejected = rejectForged(refreshToken, context)
      if (rejected) return rejected
      const hash = hashToken(refreshToken)
      const successor = refreshTokens.successorOf(refreshToken)
      const successorHash = hashToken(successor)
      const next = { hash: successorHash, lifeSeconds: idleSeconds, context }
      const rotated = await rotateRefreshToken(sql, hash, next)
      const session = rotated ?? (await selectReplay(sql, { hash, successorHash, graceSeconds }))
      if (session) {
        const kind = rotated ? 'rotated' : 'replayed'
        onRefresh(kind)
        return { kind, tokens: await createTokenResponse(session, successor) }
      }

      const late = await sql.begin((transaction) => replayLate(transaction, { hash, successorHash }, context))
      onRefresh(late.kind)
      if ('session' in late)
        return { kind: late.kind, tokens: await createTokenResponse(late.session, successor) }
      if (late.kind === 'reused') return late
      // The client of an issued token has to learn that its session has ended. An untagged token
      // may be forged.
      if (context.overLimit && refreshTokens.kindOf(refreshToken) !== 'issued')
        return { kind: 'over_limit', limit: context.overLimit }
      return late
    },

    /**
     * Ends the token's session. An unknown token is no error: it is void already (RFC 7009, section
     * 2.2).
     */
    async logout(
      refreshToken: string,
      { everywhere }: { everywhere: boolean },
      context: RequestContext,
    ): Promise<LogoutOutcome> {
      const rejected = rejectForged(refreshToken, context)
      if (rejected) return rejected
      await sql.begin(async (transaction) => {
        const owner = await selectOwner(transaction, hashToken(refreshToken))
        if (!owner) return
        if (everywhere) await endMany(transaction, owner.userId, undefined, 'logout_everywhere', context)
        else await end(transaction, owner, 'logout', context)
      })
      return { kind: 'done' }
    },

    list: (userId: string) => selectLiveSessions(sql, userId),

    /** @returns false where the user has no such session that was not ended */
    endOne: (
      owner: SessionOwner,
      reason: 'ended_by_user' | 'logout',
      context: RequestContext,
    ): Promise<boolean> => sql.begin((transaction) => end(transaction, owner, reason, context)),

    /** Ends all sessions of a user except the current one. */
    async endOthers({ userId, sessionId }: SessionOwner, context: RequestContext): Promise<void> {
      await sql.begin((transaction) => endMany(transaction, userId, sessionId, 'ended_by_user', context))
    },
  }
}

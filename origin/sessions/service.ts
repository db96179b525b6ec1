import type { TokenAnswer } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { hashToken } from '../opaque-token.ts'
import type { AccessTokens } from './access-tokens.ts'
import {
  type Bearer,
  claimLateReplay,
  endSessions,
  insertRefreshToken,
  insertSession,
  lockSessionForUpdate,
  rotateRefreshToken,
  type SessionEnd,
  type SessionOwner,
  selectLiveSessions,
  selectOwner,
  selectReplay,
  selectReusedOwner,
  selectSurplusSessions,
} from './queries.ts'
import type { RefreshTokens } from './refresh-tokens.ts'

/** What became of a refresh token that was presented. */
export type RefreshOutcome = 'rotated' | 'replayed' | 'replayed_late' | 'reused' | 'invalid'

interface SessionOptions {
  sql: Sql
  accessTokens: AccessTokens
  refreshTokens: RefreshTokens
  /** A session ends when nobody refreshes for this long ... */
  idleSeconds: number
  /** ... or at this age. */
  absoluteSeconds: number
  /** How long a spent token still answers its successor; 0 turns that off. */
  graceSeconds: number
  /**
   * Spent tokens of a session that are answered after the grace window, in 24 hours. 0 turns that
   * off, and so does a grace window of 0, which asks for no replays.
   */
  lateReplays: number
  /** Sessions one account may have. */
  perUser: number
  onRefresh?: (outcome: RefreshOutcome) => void
}

export type SessionService = ReturnType<typeof createSessionService>

/** A session owns a chain of refresh tokens, of which one is live. */
export function createSessionService(options: SessionOptions) {
  const { sql, accessTokens, refreshTokens, idleSeconds, absoluteSeconds, graceSeconds, perUser } = options
  const { onRefresh = () => {} } = options
  const lateReplayBudget = graceSeconds > 0 ? options.lateReplays : 0

  async function answer(bearer: Bearer, refreshToken: string): Promise<TokenAnswer> {
    const { token, expiresIn } = await accessTokens.sign(bearer)
    return {
      access_token: token,
      token_type: 'Bearer',
      expires_in: expiresIn,
      refresh_token: refreshToken,
    }
  }

  /** Ends one session where it still lives, with its revocation and its audit row. */
  async function end(
    transaction: Transaction,
    owner: SessionOwner,
    reason: SessionEnd,
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
   * A token that is not live and not in its grace window. A successor that nobody used means that
   * the response was lost: the phone slept, or the database failed over. A thief who refreshes in
   * step with the owner looks the same, once for each refresh: the budget finds them.
   */
  async function replayLate(
    transaction: Transaction,
    hashes: { hash: Uint8Array; successorHash: Uint8Array },
    context: RequestContext,
  ): Promise<{ outcome: RefreshOutcome; bearer?: Bearer | undefined }> {
    const owner = await selectOwner(transaction, hashes.hash)
    if (!owner) return { outcome: 'invalid' }
    await lockSessionForUpdate(transaction, owner.sessionId)
    const late = await claimLateReplay(transaction, { ...hashes, graceSeconds, budget: lateReplayBudget })
    // Another request with this token may have been the late replay.
    const bearer = await selectReplay(transaction, { ...hashes, graceSeconds })
    if (late) {
      await insertAuditRow(transaction, {
        action: 'session.refresh_replayed_late',
        actorId: null,
        ...owner,
        context,
        details: { seconds_since_answered: late.secondsSinceAnswered, late_replays: late.lateReplays },
      })
    }
    if (bearer) return { outcome: late ? 'replayed_late' : 'replayed', bearer }
    const reused = await selectReusedOwner(transaction, hashes.hash, graceSeconds)
    const ended = reused !== undefined && (await end(transaction, reused, 'refresh_reused', context))
    return { outcome: ended ? 'reused' : 'invalid' }
  }

  async function endMany(
    transaction: Transaction,
    userId: string,
    except: string | undefined,
    reason: SessionEnd,
    context: RequestContext,
  ) {
    const ended = await endSessions(transaction, { userId, ...(except && { except }) }, reason)
    if (ended.length === 0) return
    const details = { reason, count: ended.length }
    await insertAuditRow(transaction, { action: 'session.ended', actorId: userId, userId, context, details })
  }

  /**
   * Without a query. Within its limit an address may ask for any token: one that was issued under
   * an earlier REFRESH_TOKEN_KEY has another tag.
   */
  function refuseMadeUp(refreshToken: string, { overLimit }: RequestContext): void {
    if (!overLimit || refreshTokens.kindOf(refreshToken) !== 'made_up') return
    onRefresh('invalid')
    throw overLimitProblem(overLimit, 'refresh_invalid')
  }

  return {
    endMany,

    /**
     * Opens a session inside a login's transaction. Where that is one too many, the one used
     * longest ago ends; logins of one account hold its row, so that none overlooks another's.
     */
    async open(transaction: Transaction, userId: string, context: RequestContext) {
      const sessionId = await insertSession(transaction, { userId, lifeSeconds: absoluteSeconds, context })
      const refreshToken = refreshTokens.first()
      const sessionSecondsLeft = await insertRefreshToken(transaction, sessionId, {
        hash: hashToken(refreshToken),
        lifeSeconds: idleSeconds,
        context,
      })
      for (const surplus of await selectSurplusSessions(transaction, userId, perUser)) {
        await end(transaction, { userId, sessionId: surplus }, 'session_limit', context)
      }
      return { sessionId, sessionSecondsLeft, refreshToken }
    },

    answer,

    /**
     * Rotates: the presented token is spent and its successor returned. A token spent within the
     * grace window is answered with the same successor. One spent before that is answered while
     * its successor was never used and the session has late replays left; else its session ends.
     *
     * @throws Problem `refresh_reused`, `refresh_invalid`; `rate_limited` where the address is over
     * its limit and the token was not issued here
     */
    async refresh(refreshToken: string, context: RequestContext): Promise<TokenAnswer> {
      refuseMadeUp(refreshToken, context)
      const hash = hashToken(refreshToken)
      const successor = refreshTokens.successorOf(refreshToken)
      const successorHash = hashToken(successor)
      const rotated = await rotateRefreshToken(sql, hash, {
        hash: successorHash,
        lifeSeconds: idleSeconds,
        context,
      })
      if (rotated) {
        onRefresh('rotated')
        return answer(rotated, successor)
      }
      const replayed = await selectReplay(sql, { hash, successorHash, graceSeconds })
      if (replayed) {
        onRefresh('replayed')
        return answer(replayed, successor)
      }

      const { outcome, bearer } = await sql.begin((transaction) =>
        replayLate(transaction, { hash, successorHash }, context),
      )
      onRefresh(outcome)
      if (bearer) return answer(bearer, successor)
      if (outcome === 'reused') throw new Problem('refresh_reused')
      // Its bearer has to learn that the session is over; of an untagged one it is not known that
      // it has a bearer.
      if (context.overLimit && refreshTokens.kindOf(refreshToken) !== 'issued')
        throw overLimitProblem(context.overLimit, 'refresh_invalid')
      throw new Problem('refresh_invalid')
    },

    /**
     * Ends the token's session. An unknown token is no error: what the caller wants is already so
     * (RFC 7009, 2.2).
     *
     * @throws Problem `rate_limited` where the address is over its limit and the token was not
     *   issued here
     */
    async logout(
      refreshToken: string,
      { everywhere }: { everywhere: boolean },
      context: RequestContext,
    ): Promise<void> {
      refuseMadeUp(refreshToken, context)
      await sql.begin(async (transaction) => {
        const owner = await selectOwner(transaction, hashToken(refreshToken))
        if (!owner) return
        if (everywhere) await endMany(transaction, owner.userId, undefined, 'logout_everywhere', context)
        else await end(transaction, owner, 'logout', context)
      })
    },

    list: (userId: string) => selectLiveSessions(sql, userId),

    /**
     * @throws Problem `not_found` where it is not a live session of this user's: somebody else's
     *   does not exist for them
     */
    async endOne(
      owner: SessionOwner,
      reason: 'ended_by_user' | 'logout',
      context: RequestContext,
    ): Promise<void> {
      const ended = await sql.begin((transaction) => end(transaction, owner, reason, context))
      if (!ended) throw new Problem('not_found')
    },

    /** Ends all of a user's sessions but the one that asks. */
    async endOthers({ userId, sessionId }: SessionOwner, context: RequestContext): Promise<void> {
      await sql.begin((transaction) => endMany(transaction, userId, sessionId, 'ended_by_user', context))
    },
  }
}

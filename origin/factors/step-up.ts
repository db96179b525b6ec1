import type { SteppedUpResponse } from '../../shared/contract.ts'
import { lockAccountForUpdate } from '../accounts/queries.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Lockout } from '../lockout/lockout.ts'
import { type AttemptReservation, lockPasswordForUpdate } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import {
  type Authentication,
  lockLiveSessionForUpdate,
  type SessionOwner,
  type SessionWithEntitlements,
  updateSessionAuthentication,
} from '../sessions/queries.ts'
import type { SessionService } from '../sessions/service.ts'
import type { CodeLimit } from './code-limit.ts'
import { type FactorKind, selectFactors, selectHasSessionPresentedFactor } from './queries.ts'
import { recordRecoveryCodeUse } from './recovery-code-use.ts'
import { availableFactors, byPassword, withCode } from './rules.ts'
import type { CodeVerifier, PresentedCode } from './verify-code.ts'

interface StepUpOptions {
  sql: Sql
  lockout: Lockout
  codes: CodeVerifier
  codeLimit: CodeLimit
  sessions: Pick<SessionService, 'createAccessTokenResponse'>
  mail: Mail
  /** Called after the commit. */
  onStepUp?: (kind: StepUpOutcome['kind']) => void
}

/** The session to authenticate again, with its present methods. */
export interface StepUpSession extends SessionOwner {
  amr: readonly string[]
}

type PresentedFactor = { factor: 'password'; password: string } | PresentedCode

export type StepUpOutcome =
  | { kind: 'stepped_up'; tokens: SteppedUpResponse }
  | { kind: 'wrong_password' | 'wrong_code' | 'session_ended' }
  /** The account has a second factor, so its password is not enough. */
  | { kind: 'mfa_required'; factors: FactorKind[] }

type Evaluated =
  | { kind: 'stepped_up'; session: SessionWithEntitlements }
  | { kind: 'wrong_password' | 'wrong_code' | 'session_ended' }

export type StepUpService = ReturnType<typeof createStepUpService>

/**
 * Authenticates signed-in users again. Attempts at the password count against the session: a stolen
 * access token has few, and locks nobody else out. So do attempts at codes where the session has
 * presented the present factor; those of other sessions count together with unknown devices.
 */
export function createStepUpService(options: StepUpOptions) {
  const { sql, lockout, codes, codeLimit, sessions, mail, onStepUp = () => {} } = options

  async function raise(
    transaction: Transaction,
    { userId, sessionId }: SessionOwner,
    {
      authentication,
      factor,
      context,
    }: {
      authentication: Authentication
      factor: PresentedFactor['factor']
      context: RequestContext
    },
  ): Promise<Evaluated> {
    const owner = { userId, sessionId }
    const session = await updateSessionAuthentication(transaction, owner, authentication)
    const { amr, acr } = authentication
    await insertAuditRow(transaction, {
      action: 'session.stepped_up',
      actorId: userId,
      ...owner,
      context,
      details: { factor, amr: [...amr], acr },
    })
    return { kind: 'stepped_up', session }
  }

  async function recordFailure(
    transaction: Transaction,
    { userId, sessionId }: SessionOwner,
    { reason, context }: { reason: 'wrong_password' | 'wrong_code'; context: RequestContext },
  ): Promise<Evaluated> {
    await insertAuditRow(transaction, {
      action: 'session.step_up_failed',
      actorId: userId,
      userId,
      sessionId,
      context,
      details: { reason },
    })
    return { kind: reason }
  }

  async function byItsPassword(
    owner: StepUpSession,
    password: string,
    context: RequestContext,
  ): Promise<Evaluated> {
    const { userId, sessionId } = owner
    const own = { id: sessionId, userId }
    const { reservation, passwordMatches } = await lockout.evaluate({ userId }, password, [own], context)
    const { account } = reservation
    return sql.begin(async (transaction): Promise<Evaluated> => {
      const isRight =
        passwordMatches && account && (await lockPasswordForUpdate(transaction, account)) === 'active'
      if (isRight && !(await lockLiveSessionForUpdate(transaction, owner))) return { kind: 'session_ended' }
      if (isRight)
        return raise(transaction, owner, { authentication: byPassword, factor: 'password', context })
      await lockout.fail(transaction, reservation, context)
      return recordFailure(transaction, owner, { reason: 'wrong_password', context })
    })
  }

  /** A code is spent only with the session that it raises. */
  async function spendCode(
    transaction: Transaction,
    owner: StepUpSession,
    presented: PresentedCode,
    { email, context }: { email: string; context: RequestContext },
  ): Promise<Evaluated> {
    const { userId } = owner
    const { factor } = presented
    await lockAccountForUpdate(transaction, userId)
    if (!(await lockLiveSessionForUpdate(transaction, owner))) return { kind: 'session_ended' }
    if (!(await codes.spend(transaction, userId, presented)))
      return recordFailure(transaction, owner, { reason: 'wrong_code', context })
    if (factor === 'recovery_code') await recordRecoveryCodeUse(transaction, mail, { userId, email, context })
    return raise(transaction, owner, { authentication: withCode(owner), factor, context })
  }

  async function byCode(
    owner: StepUpSession,
    presented: PresentedCode,
    context: RequestContext,
  ): Promise<Evaluated> {
    const { userId, sessionId } = owner
    const ownGroups = (await selectHasSessionPresentedFactor(sql, owner)) ? [{ id: sessionId, userId }] : []
    const { reservation, isRight } = await codeLimit.evaluate(userId, presented, ownGroups, context)
    return sql.begin(async (transaction) => {
      if (isRight) return spendCode(transaction, owner, presented, { email: emailOf(reservation), context })
      await codeLimit.fail(transaction, reservation, context)
      return recordFailure(transaction, owner, { reason: 'wrong_code', context })
    })
  }

  return {
    /** @throws Problem `overloaded`, `rate_limited`, `verifier_unavailable` */
    async stepUp(
      owner: StepUpSession,
      presented: PresentedFactor,
      context: RequestContext,
    ): Promise<StepUpOutcome> {
      if (presented.factor === 'password') {
        const factors = availableFactors(await selectFactors(sql, owner.userId))
        if (factors.length > 0) return { kind: 'mfa_required', factors }
      }
      const evaluated =
        presented.factor === 'password'
          ? await byItsPassword(owner, presented.password, context)
          : await byCode(owner, presented, context)
      mail.wake()
      onStepUp(evaluated.kind)
      if (evaluated.kind !== 'stepped_up') return evaluated
      return { kind: evaluated.kind, tokens: await sessions.createAccessTokenResponse(evaluated.session) }
    },
  }
}

/** The signed-in user's account exists: deleting it would end the session. */
const emailOf = ({ account }: AttemptReservation) => account?.email ?? ''

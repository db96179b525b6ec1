import type { SteppedUpResponse } from '../../shared/contract.ts'
import type { Now } from '../../shared/lib/time.ts'
import { lockAccountForUpdate } from '../accounts/queries.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import { raiseUserEpoch } from '../entitlements/epochs.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Encryption } from '../keys/encryption.ts'
import type { AttemptLimit } from '../lockout/attempt-limit.ts'
import { clearConsecutiveFailures } from '../lockout/consecutive-failures.ts'
import type { Mail } from '../mail/service.ts'
import {
  lockLiveSessionForUpdate,
  lowerSessionsToAal1,
  type SessionOwner,
  type SessionWithEntitlements,
  updateSessionAuthentication,
} from '../sessions/queries.ts'
import type { SessionService } from '../sessions/service.ts'
import {
  confirmTotpEnrolment,
  deleteRecoveryCodes,
  deleteTotp,
  type Factors,
  replaceRecoveryCodes,
  selectFactors,
  selectTotpEnrolment,
  upsertTotpEnrolment,
} from './queries.ts'
import { formatRecoveryCode, type HashRecoveryCode, newRecoveryCodes } from './recovery-codes.ts'
import { hasSecondFactor, withCode } from './rules.ts'
import type { StepUpSession } from './step-up.ts'
import { acceptedStep, describeTotp, newTotpSecret } from './totp.ts'
import { decryptTotp, encryptTotp } from './totp-encryption.ts'

/** How long an enrolment waits for its first code. */
const enrolmentSeconds = 600

interface FactorOptions {
  sql: Sql
  encryption: Encryption
  hashRecoveryCode: HashRecoveryCode
  /** Limits wrong first codes of an enrolment, by session. */
  codeAttempts: AttemptLimit
  sessions: Pick<SessionService, 'createAccessTokenResponse'>
  mail: Mail
  product: string
  now?: Now
}

/** The signed-in user. */
interface Owner extends SessionOwner {
  email: string
}

interface Enrolment {
  secret: string
  uri: string
  qrSvg: string
  expiresAt: Date
}

export type ConfirmOutcome =
  | { kind: 'confirmed'; recoveryCodes: string[]; tokens: SteppedUpResponse }
  | { kind: 'wrong_code' | 'enrolment_missing' | 'session_ended' }

type Confirmed =
  | { kind: 'confirmed'; recoveryCodes: string[]; session: SessionWithEntitlements }
  | { kind: 'wrong_code' | 'enrolment_missing' | 'session_ended' }

export type FactorService = ReturnType<typeof createFactorService>

/** Second factors of signed-in users. Each change is audited and mailed. */
export function createFactorService(options: FactorOptions) {
  const { sql, encryption, hashRecoveryCode, codeAttempts, sessions, mail, product } = options
  const { now = Date.now } = options

  async function createCodes(transaction: Transaction, userId: string): Promise<string[]> {
    const codes = newRecoveryCodes()
    await replaceRecoveryCodes(
      transaction,
      userId,
      codes.map((code) => hashRecoveryCode(userId, code)),
    )
    return codes.map(formatRecoveryCode)
  }

  /**
   * Lowers the other sessions to one factor: they presented an app that the account has no more.
   * Tokens that say otherwise are stale from the commit on.
   */
  async function lowerOthers(transaction: Transaction, { userId, sessionId }: SessionOwner): Promise<void> {
    if (await lowerSessionsToAal1(transaction, userId, sessionId)) await raiseUserEpoch(transaction, userId)
  }

  async function confirm(
    transaction: Transaction,
    { userId, sessionId, amr, email }: Owner & StepUpSession,
    {
      enrolment,
      secret,
      step,
      context,
    }: {
      enrolment: Uint8Array
      secret: string
      step: number
      context: RequestContext
    },
  ): Promise<Confirmed> {
    const owner = { userId, sessionId }
    await lockAccountForUpdate(transaction, userId)
    if (!(await lockLiveSessionForUpdate(transaction, owner))) return { kind: 'session_ended' }
    const encrypted = encryptTotp(encryption, 'totp_secrets', userId, secret)
    if (!(await confirmTotpEnrolment(transaction, userId, { confirmed: enrolment, encrypted, step })))
      return { kind: 'enrolment_missing' }
    // First, so that the session's new token is of the new epoch.
    await lowerOthers(transaction, owner)
    const session = await updateSessionAuthentication(transaction, owner, withCode({ amr }))
    const recoveryCodes = await createCodes(transaction, userId)
    // Failures at codes of a former app say nothing of this one.
    await clearConsecutiveFailures(transaction, email)
    const details = { factor: 'totp', amr: session.amr as string[], acr: session.acr }
    await insertAuditRow(transaction, { action: 'factor.added', actorId: userId, ...owner, context, details })
    await mail.enqueue(transaction, email, mail.messages.factorAdded())
    return { kind: 'confirmed', recoveryCodes, session }
  }

  return {
    read: (userId: string): Promise<Factors> => selectFactors(sql, userId),

    /** Begins an enrolment, in place of one that was not confirmed. */
    async enrolTotp({ userId, email }: Owner): Promise<Enrolment> {
      const secret = newTotpSecret()
      const encrypted = encryptTotp(encryption, 'totp_enrolments', userId, secret)
      const expiresAt = await upsertTotpEnrolment(sql, { userId, encrypted, lifeSeconds: enrolmentSeconds })
      return { secret, ...describeTotp(secret, { product, email }), expiresAt }
    },

    /**
     * Makes the enrolment a factor by its first code, which works for nothing else. The session has
     * two factors from then on.
     *
     * @throws Problem `overloaded`, `rate_limited`
     */
    async confirmTotp(
      owner: Owner & StepUpSession,
      code: string,
      context: RequestContext,
    ): Promise<ConfirmOutcome> {
      const { userId, sessionId } = owner
      const enrolment = await selectTotpEnrolment(sql, userId)
      if (!enrolment) return { kind: 'enrolment_missing' }
      const secret = decryptTotp(encryption, 'totp_enrolments', userId, enrolment)
      const step = acceptedStep(secret, code, { now: now(), lastStep: 0 })
      const { reservation, isRight } = await codeAttempts.evaluate(
        { userId },
        async (account) => account !== undefined && step !== undefined,
        [{ id: sessionId, userId }],
        context,
      )
      const outcome = await sql.begin(async (transaction): Promise<Confirmed> => {
        if (isRight && step !== undefined)
          return confirm(transaction, owner, { enrolment, secret, step, context })
        const details = { reason: 'wrong_code' }
        await insertAuditRow(transaction, {
          action: 'factor.change_refused',
          actorId: userId,
          userId,
          sessionId,
          context,
          details,
        })
        await codeAttempts.fail(transaction, reservation, context)
        return { kind: 'wrong_code' }
      })
      mail.wake()
      if (outcome.kind !== 'confirmed') return outcome
      const { recoveryCodes, session } = outcome
      return { kind: outcome.kind, recoveryCodes, tokens: await sessions.createAccessTokenResponse(session) }
    },

    /** Removes the authenticator app with the recovery codes. @returns false where there is none */
    async removeTotp({ userId, sessionId, email }: Owner, context: RequestContext): Promise<boolean> {
      const isRemoved = await sql.begin(async (transaction) => {
        await lockAccountForUpdate(transaction, userId)
        if (!(await deleteTotp(transaction, userId))) return false
        await deleteRecoveryCodes(transaction, userId)
        const owner = { userId, sessionId }
        await lowerOthers(transaction, owner)
        const details = { factor: 'totp' }
        await insertAuditRow(transaction, {
          action: 'factor.removed',
          actorId: userId,
          ...owner,
          context,
          details,
        })
        await mail.enqueue(transaction, email, mail.messages.factorRemoved())
        return true
      })
      mail.wake()
      return isRemoved
    },

    /** @returns undefined where the account has no second factor that codes could replace */
    async createRecoveryCodes(
      { userId, sessionId, email }: Owner,
      context: RequestContext,
    ): Promise<string[] | undefined> {
      const codes = await sql.begin(async (transaction) => {
        await lockAccountForUpdate(transaction, userId)
        if (!hasSecondFactor(await selectFactors(transaction, userId))) return undefined
        const created = await createCodes(transaction, userId)
        await insertAuditRow(transaction, {
          action: 'factor.recovery_codes_created',
          actorId: userId,
          userId,
          sessionId,
          context,
        })
        await mail.enqueue(transaction, email, mail.messages.recoveryCodesCreated())
        return created
      })
      mail.wake()
      return codes
    },
  }
}

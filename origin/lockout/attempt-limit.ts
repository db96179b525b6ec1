import { createHash } from 'node:crypto'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import {
  type AccountRef,
  type AttemptGroupRef,
  type AttemptReservation,
  type AttemptSubject,
  type Credentials,
  countFailure,
  endReservation,
  reserveAttempt,
  startLockoutWhenUsedUp,
  unknownDevice,
} from './queries.ts'
import { createReservationQueue } from './reservation-queue.ts'

/** The turn of an attempt in a queue, such as that for hashing. */
export interface QueueTurn {
  address: string | null
  isPreferred: boolean
}

/**
 * Whether the secret of an attempt is right. Without an account it takes as long and is not.
 *
 * @throws Problem for an attempt that could not be evaluated; it does not count
 */
export type EvaluateSecret = (account: Credentials | undefined, turn: QueueTurn) => Promise<boolean>

export interface AttemptLimitOptions {
  sql: Sql
  subject: AttemptSubject
  maxAttempts: number
  windowSeconds: number
  lockoutSeconds: number
  /** Attempts of one group that may wait at this origin while others are in progress. */
  queue: number
  /** Users give up by then, and the gateway does after 30 s. */
  maxWaitMs?: number
  /** Lockouts that the owner hears of: those of unknown devices, or those of any group. */
  notifiesOf: 'unknown_devices' | 'any_group'
  /** Notifies the owner, inside the transaction that starts the lockout. */
  notifyOwner: (
    transaction: Transaction,
    email: string,
    lockout: { until: Date; isKnownDevice: boolean },
  ) => Promise<void>
}

export type AttemptLimit = ReturnType<typeof createAttemptLimit>

/**
 * Limits attempts at a secret of an account, by the clock of the database. Each attempt reserves
 * one of those left before it is evaluated. Only failures lock; an attempt that finds the rest
 * reserved by attempts in progress waits for them. Unknown devices share one group of attempts per
 * account, and each known device has its own, so that an attacker locks out unknown devices and
 * never the owner.
 */
export function createAttemptLimit({
  sql,
  subject,
  maxAttempts,
  windowSeconds,
  lockoutSeconds,
  queue,
  maxWaitMs = 10_000,
  notifiesOf,
  notifyOwner,
}: AttemptLimitOptions) {
  const waiting = createReservationQueue({ limit: queue, maxWaitMs })

  /**
   * The groups of this attempt for which others wait: it must not reserve their free attempts.
   */
  function withWaiting(accountRef: AccountRef, ownGroups: readonly AttemptGroupRef[]): string[] {
    const ofUnknownDevices =
      'email' in accountRef && waiting.has(digestOf(accountRef.email)) ? [unknownDevice] : []
    return [...ownGroups.map(({ id }) => id).filter((id) => waiting.has(plainId(id))), ...ofUnknownDevices]
  }

  async function reserveOrWait(
    accountRef: AccountRef,
    ownGroups: readonly AttemptGroupRef[],
  ): Promise<AttemptReservation> {
    const options = { subject, accountRef, ownGroups, maxAttempts, windowSeconds }
    const first = await reserveAttempt(sql, {
      ...options,
      excludedGroups: withWaiting(accountRef, ownGroups),
    })
    if (first.state !== 'in_progress') return first
    return waiting.wait(groupName(first), async () => {
      const reservation = await reserveAttempt(sql, { ...options, excludedGroups: [] })
      return reservation.state === 'in_progress' ? undefined : reservation
    })
  }

  async function end(
    reservation: AttemptReservation,
    outcome: 'succeeded' | 'failed' | 'not_evaluated',
  ): Promise<void> {
    if (outcome === 'failed') await countFailure(sql, reservation, windowSeconds)
    else await endReservation(sql, reservation, { succeeded: outcome === 'succeeded' })
    waiting.wake(groupName(reservation))
  }

  return {
    /**
     * Evaluates one attempt. Unknown, locked and wrong cost the same: the same writes, and what
     * `evaluateSecret` costs. The attempt is counted here, not in the transaction that follows: a
     * failure there must neither lock the owner out nor leave guesses uncounted.
     *
     * For an address over its limit, an attempt of a locked own group is not evaluated. Only the
     * holder of the device, session or link can tell.
     *
     * @param ownGroups known devices of the request, each with a count for one account. That of
     * this account counts the attempt; without one, the count of unknown devices does
     * @throws Problem `overloaded` and those of `evaluateSecret`; such an attempt does not count.
     *   `rate_limited`
     */
    async evaluate(
      accountRef: AccountRef,
      evaluateSecret: EvaluateSecret,
      ownGroups: readonly AttemptGroupRef[],
      context: RequestContext,
    ): Promise<{ reservation: AttemptReservation; isRight: boolean }> {
      const reservation = await reserveOrWait(accountRef, ownGroups)
      const isGranted = reservation.state === 'granted'
      if (context.overLimit && reservation.state === 'locked' && reservation.deviceId !== unknownDevice)
        throw overLimitProblem(context.overLimit, 'locked')
      const account = isGranted ? (reservation.account ?? undefined) : undefined
      // Attempts with their own count, as of owners on known devices, do not queue behind those of
      // unknown devices.
      const turn = { address: context.ip, isPreferred: isGranted && reservation.deviceId !== unknownDevice }
      let isRight: boolean
      try {
        isRight = await evaluateSecret(account, turn)
      } catch (error) {
        if (isGranted) await end(reservation, 'not_evaluated')
        throw error
      }
      await end(reservation, isRight ? 'succeeded' : 'failed')
      return { reservation, isRight }
    },

    /**
     * Starts the lockout where this failure was the last one allowed, and notifies the owner once
     * of a lockout that `notifiesOf` names.
     */
    async fail(
      transaction: Transaction,
      reservation: AttemptReservation,
      context: RequestContext,
    ): Promise<void> {
      const until = await startLockoutWhenUsedUp(transaction, reservation, { maxAttempts, lockoutSeconds })
      const { account, deviceId } = reservation
      if (!until || !account) return
      const isKnownDevice = deviceId !== unknownDevice
      await insertAuditRow(transaction, {
        action: 'account.locked',
        actorId: null,
        userId: account.id,
        context,
        details: {
          until: until.toISOString(),
          known_device: isKnownDevice,
          ...(subject === 'code' && { attempts_at: subject }),
        },
      })
      if (!isKnownDevice || notifiesOf === 'any_group')
        await notifyOwner(transaction, account.email, { until, isKnownDevice })
    },
  }
}

/** The id without hyphens: some callers omit them. */
const plainId = (id: string) => id.replaceAll('-', '')

/**
 * The digest of the database, for addresses whose lower case is the same in both. Attempts at
 * others may not wait in order.
 */
const digestOf = (email: string) => createHash('sha256').update(email.toLowerCase()).digest('base64url')

/**
 * Names a group without a query: that of unknown devices by the address, any other by its id.
 */
const groupName = ({ emailHash, deviceId }: AttemptReservation) =>
  deviceId === unknownDevice ? Buffer.from(emailHash).toString('base64url') : plainId(deviceId)

import { createHash } from 'node:crypto'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { createClaimQueue } from './claim-queue.ts'
import {
  type AccountReference,
  type Claim,
  type Credentials,
  claimAttempt,
  countFailure,
  endClaim,
  type OwnAttempts,
  startLockoutWhenUsedUp,
  unknownDevice,
} from './queries.ts'

interface PasswordMatcher {
  /** @throws Problem `overloaded`, `verifier_unavailable` */
  matches(
    password: string,
    account: Credentials | undefined,
    turn: { address: string | null; isPreferred: boolean },
  ): Promise<boolean>
}

interface LockoutOptions {
  sql: Sql
  passwords: PasswordMatcher
  maxAttempts: number
  windowSeconds: number
  lockoutSeconds: number
  /** Attempts of one group that may wait at this origin while others are in progress. */
  queue: number
  /** Users have given up by then, and the gateway does after 30 s. */
  maxWaitMs?: number
  /** Notifies the owner, inside the transaction that starts the lockout. */
  notifyOwner: (transaction: Transaction, email: string, until: Date) => Promise<void>
}

export type Lockout = ReturnType<typeof createLockout>

/**
 * Limits attempts at a password, by the clock of the database. Each attempt claims one of those
 * left before it is evaluated. Only failures lock; an attempt that finds the rest claimed by
 * attempts in progress waits for them. Unknown devices share one group of attempts per account, and
 * each known device has its own, so that an attacker locks out unknown devices and never the owner.
 */
export function createLockout({
  sql,
  passwords,
  maxAttempts,
  windowSeconds,
  lockoutSeconds,
  queue,
  maxWaitMs = 10_000,
  notifyOwner,
}: LockoutOptions) {
  const waiting = createClaimQueue({ limit: queue, maxWaitMs })

  /**
   * The groups of this attempt that others wait for: it must not claim their free attempts.
   */
  function withWaiting(whose: AccountReference, own: readonly OwnAttempts[]): string[] {
    const ofUnknownDevices = 'email' in whose && waiting.has(digestOf(whose.email)) ? [unknownDevice] : []
    return [...own.map(({ id }) => id).filter((id) => waiting.has(plainId(id))), ...ofUnknownDevices]
  }

  async function claimOrWait(whose: AccountReference, own: readonly OwnAttempts[]): Promise<Claim> {
    const options = { whose, own, maxAttempts, windowSeconds }
    const first = await claimAttempt(sql, { ...options, leave: withWaiting(whose, own) })
    if (first.state !== 'in_progress') return first
    return waiting.wait(groupName(first), async () => {
      const claim = await claimAttempt(sql, { ...options, leave: [] })
      return claim.state === 'in_progress' ? undefined : claim
    })
  }

  async function end(claim: Claim, outcome: 'succeeded' | 'failed' | 'not_evaluated'): Promise<void> {
    if (outcome === 'failed') await countFailure(sql, claim, windowSeconds)
    else await endClaim(sql, claim, { succeeded: outcome === 'succeeded' })
    waiting.wake(groupName(claim))
  }

  return {
    /**
     * Evaluates one attempt. Unknown, locked and wrong cost the same: the same writes and one hash.
     * The attempt is counted here, not in the transaction that follows: a failure there must
     * neither lock the owner out nor leave guesses uncounted.
     *
     * For an address over its limit, an attempt of a locked own group hashes nothing. Only the
     * holder of the device, session or link can tell.
     *
     * @param own groups with their own count: the account's counts this attempt, else that of
     * unknown devices does
     * @throws Problem `overloaded`, `verifier_unavailable`; such an attempt does not count.
     *   `rate_limited`
     */
    async evaluate(
      whose: AccountReference,
      password: string,
      own: readonly OwnAttempts[],
      context: RequestContext,
    ) {
      const claim = await claimOrWait(whose, own)
      const isGranted = claim.state === 'granted'
      if (context.overLimit && claim.state === 'locked' && claim.deviceId !== unknownDevice)
        throw overLimitProblem(context.overLimit, 'locked')
      const account = isGranted ? (claim.account ?? undefined) : undefined
      // Attempts with their own count, as of owners on known devices, do not queue behind those of
      // unknown devices.
      const turn = { address: context.ip, isPreferred: isGranted && claim.deviceId !== unknownDevice }
      let passwordMatches: boolean
      try {
        passwordMatches = await passwords.matches(password, account, turn)
      } catch (error) {
        if (isGranted) await end(claim, 'not_evaluated')
        throw error
      }
      await end(claim, passwordMatches ? 'succeeded' : 'failed')
      return { claim, passwordMatches }
    },

    /**
     * Starts the lockout where this failure was the last one allowed. A lockout of unknown devices
     * notifies the owner once.
     */
    async fail(transaction: Transaction, claim: Claim, context: RequestContext): Promise<void> {
      const until = await startLockoutWhenUsedUp(transaction, claim, { maxAttempts, lockoutSeconds })
      const { account, deviceId } = claim
      if (!until || !account) return
      await insertAuditRow(transaction, {
        action: 'account.locked',
        actorId: null,
        userId: account.id,
        context,
        details: { until: until.toISOString(), known_device: deviceId !== unknownDevice },
      })
      if (deviceId === unknownDevice) await notifyOwner(transaction, account.email, until)
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
const groupName = ({ addressHash, deviceId }: Claim) =>
  deviceId === unknownDevice ? Buffer.from(addressHash).toString('base64url') : plainId(deviceId)

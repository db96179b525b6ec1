import { createHash } from 'node:crypto'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { createClaimQueue } from './claim-queue.ts'
import {
  type AccountReference,
  type Claim,
  claimAttempt,
  countFailure,
  endClaim,
  type OwnAttempts,
  startLockoutWhenUsedUp,
  unknownDevice,
} from './queries.ts'

interface PasswordMatcher {
  /** @throws Problem `overloaded` */
  matches(
    password: string,
    storedHash: string | undefined,
    turn: { address: string | null; isPreferred: boolean },
  ): Promise<boolean>
}

interface LockoutOptions {
  sql: Sql
  passwords: PasswordMatcher
  maxAttempts: number
  windowSeconds: number
  lockoutSeconds: number
  /** Attempts at one counter that may wait at this origin while others are in progress. */
  queue: number
  /** A user who logs in has given up by then, and the gateway gives up after 30 s. */
  longestWaitMs?: number
  /** Tells the owner, inside the transaction that starts the lockout. */
  notifyOwner: (transaction: Transaction, email: string, until: Date) => Promise<void>
}

export type Lockout = ReturnType<typeof createLockout>

/**
 * Tries at a password, counted by the database's clock. Each claims one of those that are left
 * before it is evaluated; only failures lock, and an attempt for which nothing is left but what
 * others have in progress waits until they end. Strangers share one counter of the account, a
 * device that its owner signed in on has its own, so an attacker locks out strangers and never the
 * owner.
 */
export function createLockout({
  sql,
  passwords,
  maxAttempts,
  windowSeconds,
  lockoutSeconds,
  queue,
  longestWaitMs = 10_000,
  notifyOwner,
}: LockoutOptions) {
  const waiting = createClaimQueue({ limit: queue, longestWaitMs })

  /**
   * Counters that this attempt may belong to and that others wait for: their free tries are not its
   * to take.
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
     * Evaluates one try. Unknown, locked and wrong cost the same: the same writes, and each hashes
     * once. A right one clears its counter here and a wrong one is counted here, not in the
     * transaction that follows: trouble there must neither lock the owner out nor leave guesses
     * uncounted.
     *
     * For an address over its failures, a locked counter of its own hashes nothing. Only the holder
     * of the device, session or link sees the difference.
     *
     * @param own of which the one of the account counts this try; strangers' where there is none
     * @throws Problem `overloaded`; such a try does not count. `rate_limited`
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
      const storedHash = isGranted ? claim.account?.passwordHash : undefined
      // However many strangers try, who has a counter of their own, as owners on known devices do,
      // does not stand in line behind them.
      const turn = { address: context.ip, isPreferred: isGranted && claim.deviceId !== unknownDevice }
      let passwordMatches: boolean
      try {
        passwordMatches = await passwords.matches(password, storedHash, turn)
      } catch (error) {
        if (isGranted) await end(claim, 'not_evaluated')
        throw error
      }
      await end(claim, passwordMatches ? 'succeeded' : 'failed')
      return { claim, passwordMatches }
    },

    /**
     * Starts the lockout where this failure was the last one allowed. The owner is told, once,
     * where strangers are locked out.
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

/** A UUID without its hyphens, as some callers write it. */
const plainId = (id: string) => id.replaceAll('-', '')

/**
 * The digest of the database, for addresses that both lower alike. Others may not wait in order.
 */
const digestOf = (email: string) => createHash('sha256').update(email.toLowerCase()).digest('base64url')

/**
 * Names a counter before the database is asked: that of the strangers by the address, each other
 * one by its id.
 */
const groupName = ({ addressHash, deviceId }: Claim) =>
  deviceId === unknownDevice ? Buffer.from(addressHash).toString('base64url') : plainId(deviceId)

import { createHash } from 'node:crypto'
import { addressKey } from '../../shared/http/address-key.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import type { Queryable } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { RecordRejection } from '../limits/rejection-log.ts'
import type { WindowCounter } from '../limits/window-counter.ts'
import type { Device } from '../lockout/device-tokens.ts'
import { selectIsKnownDevice } from './queries.ts'

interface LoginLimitOptions {
  sql: Queryable
  /** Failed logins of one address at one account. */
  failures: WindowCounter
  /** How often the failures at one account were reset, at any address. */
  resets: Pick<WindowCounter, 'counted' | 'count'>
  recordRejection: RecordRejection
}

interface Attempt {
  email: string
  /** The devices in its cookie. */
  known: readonly Device[]
}

/**
 * Limits failed logins by address and account, so that guesses at one account reject no other
 * account's login at the same address. An address without an account is counted like one with it. A
 * known device is admitted despite the failures of others: the lockout counts it apart.
 */
export function createLoginLimit({ sql, failures, resets, recordRejection }: LoginLimitOptions) {
  /**
   * Each reset changes the keys of an account: one write resets the failures of all addresses, and
   * those under the former keys expire.
   */
  async function keyOf(email: string, { ip }: RequestContext): Promise<string> {
    const resetCount = await resets.counted(accountKey(email))
    const parts = [ip === null ? '' : addressKey(ip), email.toLowerCase()]
    return digest(resetCount === 0 ? parts : [...parts, String(resetCount)])
  }

  return {
    /** @throws Problem `rate_limited`, before a password is hashed */
    async admit({ email, known }: Attempt, context: RequestContext): Promise<void> {
      const exceeded = context.overLimit ?? (await failures.over(await keyOf(email, context)))
      if (!exceeded) return
      if (known.length > 0 && (await selectIsKnownDevice(sql, email, known))) return
      // Limits before the origin have been recorded where they were counted.
      if (!context.overLimit)
        recordRejection({
          limit: failures.name,
          key: `${context.ip ?? ''} ${email}`.trim(),
          method: 'POST',
          route: '/auth/login',
        })
      throw overLimitProblem(exceeded, 'login')
    },

    async failed(email: string, context: RequestContext): Promise<void> {
      await failures.count(await keyOf(email, context))
    },

    /**
     * Resets the failures at an account, after the commit that unlocks it.
     */
    reset: (email: string): Promise<void> => resets.count(accountKey(email)),
  }
}

/** Stores of counters hold digests, not addresses. */
const digest = (parts: readonly string[]) => createHash('sha256').update(parts.join(' ')).digest('base64url')

const accountKey = (email: string) => digest([email.toLowerCase()])

export type LoginLimit = ReturnType<typeof createLoginLimit>

import { createHash } from 'node:crypto'
import { addressKey } from '../../shared/http/address-key.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import type { Queryable } from '../db/types.ts'
import type { Client } from '../http/request-context.ts'
import type { AddressLimit } from '../limits/address-limit.ts'
import type { Device } from '../lockout/device-tokens.ts'
import { selectIsKnownDevice } from './queries.ts'

interface LoginLimitOptions {
  sql: Queryable
  /** Failed logins of one address at one account. */
  failures: AddressLimit
}

interface Attempt {
  email: string
  /** The devices that its cookie names. */
  known: readonly Device[]
}

/**
 * Limits failed logins by address and account, so that guesses at one account refuse no other
 * account's login at the same address. An address without an account is counted like one with it. A
 * device that the account knows is let in despite the failures of others: the lockout counts it
 * apart.
 */
export function createLoginLimit({ sql, failures }: LoginLimitOptions) {
  /** A digest, so that Redis holds nobody's address. */
  const keyOf = (email: string, { ip }: Client) =>
    createHash('sha256')
      .update(`${ip === null ? '' : addressKey(ip)} ${email.toLowerCase()}`)
      .digest('base64url')

  return {
    /** @throws Problem `rate_limited`, before anything is hashed */
    async admit({ email, known }: Attempt, client: Client): Promise<void> {
      const exceeded = client.overLimit ?? (await failures.over(keyOf(email, client)))
      if (!exceeded) return
      if (known.length > 0 && (await selectIsKnownDevice(sql, email, known))) return
      throw overLimitProblem(exceeded, 'login')
    },

    failed: (email: string, client: Client): Promise<void> => failures.count(keyOf(email, client)),
  }
}

export type LoginLimit = ReturnType<typeof createLoginLimit>

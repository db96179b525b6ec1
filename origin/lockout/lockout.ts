import type { RequestContext } from '../http/request-context.ts'
import { type AttemptLimitOptions, createAttemptLimit, type QueueTurn } from './attempt-limit.ts'
import type { AccountRef, AttemptGroupRef, Credentials } from './queries.ts'

interface PasswordMatcher {
  /** @throws Problem `overloaded`, `verifier_unavailable` */
  matches(password: string, account: Credentials | undefined, turn: QueueTurn): Promise<boolean>
}

interface LockoutOptions extends Omit<AttemptLimitOptions, 'subject' | 'notifiesOf'> {
  passwords: PasswordMatcher
}

export type Lockout = ReturnType<typeof createLockout>

/** Limits attempts at passwords. Those of a locked account are hashed, too: they take as long. */
export function createLockout({ passwords, ...options }: LockoutOptions) {
  const attempts = createAttemptLimit({ ...options, subject: 'password', notifiesOf: 'unknown_devices' })

  return {
    /** @throws Problem `overloaded`, `verifier_unavailable`, `rate_limited` */
    async evaluate(
      accountRef: AccountRef,
      password: string,
      ownGroups: readonly AttemptGroupRef[],
      context: RequestContext,
    ) {
      const { reservation, isRight } = await attempts.evaluate(
        accountRef,
        (account, turn) => passwords.matches(password, account, turn),
        ownGroups,
        context,
      )
      return { reservation, passwordMatches: isRight }
    },

    fail: attempts.fail,
  }
}

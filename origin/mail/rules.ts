import type { MailFailureKind } from './mailer.ts'

/**
 * The first wait; each further one is twice as long. Somebody is waiting for this mail with the
 * page open.
 */
const firstWaitSeconds = 5

/** The longest wait: how long after a server is back its mail may still lie here. */
const longestWaitSeconds = 15 * 60

/** RFC 5321, section 4.5.4.1: a sender keeps trying for at least four to five days. */
const longestRetrySeconds = 5 * 86_400

interface Failure {
  /** Tries so far, this one included. */
  attempts: number
  ageSeconds: number
  kind: MailFailureKind
}

export type FailureVerdict = { kind: 'retry'; waitSeconds: number } | { kind: 'give_up' }

/**
 * RFC 5321, section 4.2.1: a refusal for good is not to be repeated. An operator who mends its
 * cause makes the mail due again.
 */
export function evaluateFailure({ attempts, ageSeconds, kind }: Failure): FailureVerdict {
  if (kind === 'refused' || ageSeconds >= longestRetrySeconds) return { kind: 'give_up' }
  return { kind: 'retry', waitSeconds: Math.min(firstWaitSeconds * 2 ** (attempts - 1), longestWaitSeconds) }
}

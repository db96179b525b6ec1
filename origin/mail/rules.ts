import type { MailFailureKind } from './mailer.ts'

/**
 * The first wait; each further one doubles. It is short because the user is waiting for this mail.
 */
const firstWaitSeconds = 5

/** The longest wait: how late mail may be after an outage of the server. */
const maxWaitSeconds = 15 * 60

/** RFC 5321, section 4.5.4.1: a sender retries for at least four to five days. */
const maxRetrySeconds = 5 * 86_400

interface Failure {
  /** Attempts so far, this one included. */
  attempts: number
  ageSeconds: number
  kind: MailFailureKind
}

export type FailureVerdict = { kind: 'retry'; waitSeconds: number } | { kind: 'give_up' }

/**
 * RFC 5321, section 4.2.1: a permanent rejection is not retried. An operator who mends its cause
 * makes the mail due again.
 */
export function evaluateFailure({ attempts, ageSeconds, kind }: Failure): FailureVerdict {
  if (kind === 'rejected' || ageSeconds >= maxRetrySeconds) return { kind: 'give_up' }
  return { kind: 'retry', waitSeconds: Math.min(firstWaitSeconds * 2 ** (attempts - 1), maxWaitSeconds) }
}

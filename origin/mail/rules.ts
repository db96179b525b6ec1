/** The first wait; each further one is twice as long. Somebody is waiting for this mail with the page open. */
const firstWaitSeconds = 5

/** The longest wait: how long after a server is back its mail may still lie here. */
const longestWaitSeconds = 15 * 60

/** RFC 5321, section 4.5.4.1: a sender keeps trying for at least four to five days. */
const longestTrySeconds = 5 * 86_400

/**
 * Tries of a mail that the server says it will never take. RFC 5321, section 4.2.1 would have us stop at the first; two more, the
 * longest wait apart, outlast a filter's or an operator's slip.
 */
const triesWhereRefused = 3

interface Failure {
  /** Tries so far, this one included. */
  attempts: number
  ageSeconds: number
  /** The server will never take it, so it said. */
  refused: boolean
}

export type FailureVerdict = { kind: 'retry'; waitSeconds: number } | { kind: 'give_up' }

export function judgeFailure({ attempts, ageSeconds, refused }: Failure): FailureVerdict {
  if (ageSeconds >= longestTrySeconds) return { kind: 'give_up' }
  if (refused && attempts >= triesWhereRefused) return { kind: 'give_up' }
  if (refused) return { kind: 'retry', waitSeconds: longestWaitSeconds }
  return { kind: 'retry', waitSeconds: Math.min(firstWaitSeconds * 2 ** (attempts - 1), longestWaitSeconds) }
}

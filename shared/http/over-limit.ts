import { Problem } from './errors.ts'

/** Limits that a request exceeds, and the seconds until the last of them ends. */
export interface OverLimit {
  /** Names, as in `violated-policies`. */
  policies: readonly string[]
  retryAfterSeconds: number
  /** RateLimit headers, where the rejecting service counts itself. */
  headers?: Record<string, string>
}

/** Header value, such as `refresh;t=812`. */
export const formatOverLimit = ({ policies, retryAfterSeconds }: Omit<OverLimit, 'headers'>): string =>
  `${policies.join(',')};t=${retryAfterSeconds}`

const pattern = /^(?<policies>[a-z]+(?:,[a-z]+)*);t=(?<seconds>\d{1,9})$/

/** @returns undefined for what `formatOverLimit` does not write */
export function parseOverLimit(value: string): OverLimit | undefined {
  const { policies, seconds } = pattern.exec(value)?.groups ?? {}
  return policies && seconds
    ? { policies: policies.split(','), retryAfterSeconds: Number(seconds) }
    : undefined
}

/**
 * The members of a 429.
 *
 * @param names as in `violated-policies`
 * @param limits wording for `detail`, one per name
 */
export const overLimitMembers = (names: readonly string[], limits: readonly string[] = names) => ({
  detail: `Over the limit of ${limits.join(' and of ')}`,
  'violated-policies': names,
})

/**
 * Rejection of a request over limits that no `RateLimited` of the gateway's limiter describes.
 */
export function overLimitProblem(
  { policies, retryAfterSeconds, headers }: OverLimit,
  cause?: string,
): Problem {
  return new Problem('rate_limited', {
    members: overLimitMembers(policies),
    headers: { ...headers, 'retry-after': String(retryAfterSeconds) },
    cause,
  })
}

import { Problem } from '../../shared/http/errors.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import { overLimitMembers } from '../../shared/http/over-limit.ts'
import type { Limit } from '../limits/limit-rule.ts'

/** Names and values in turn. */
export type RateLimitHeaders = readonly ['ratelimit-policy', string, 'ratelimit', string]

/** One limit of a request after it was counted. */
export interface LimitState {
  limit: Limit
  quota: number
  remaining: number
  resetMs: number
  /** Whether the limit rejects all requests, as the shared store is unavailable. */
  isUnavailable: boolean
}

/** Wording for people, in the response. */
function describeLimit({ quota, rule }: Limit): string {
  const { window, windowSeconds, name, failuresOnly } = rule
  const time = window === 'day' || window === 'month' ? `one ${window}` : `${windowSeconds} s`
  return `${quota} ${failuresOnly ? 'failed attempts' : 'requests'} in ${time} (${name})`
}

type RejectionReason = 'over' | 'in_progress' | 'unavailable'

interface RateLimitedOptions {
  exceeded: readonly Limit[]
  reason: RejectionReason
  limitHeaders: RateLimitHeaders
  retryAfterSeconds: number
}

/**
 * The response to a request over its limits: 429 `rate_limited`. It is 503 `overloaded` where only
 * attempts in progress use the quota up, whose success would refund it, or where a limit is not
 * counted without the shared store.
 */
export class RateLimited extends Problem {
  readonly exceeded: readonly Limit[]
  readonly limitHeaders: RateLimitHeaders
  readonly retryAfterSeconds: number

  constructor({ exceeded, reason, limitHeaders, retryAfterSeconds }: RateLimitedOptions) {
    const [policyName, policy, limitName, limit] = limitHeaders
    const headers = { [policyName]: policy, [limitName]: limit, 'retry-after': String(retryAfterSeconds) }
    if (reason === 'over') {
      const names = exceeded.map(({ rule }) => rule.name)
      super('rate_limited', { members: overLimitMembers(names, exceeded.map(describeLimit)), headers })
    } else {
      const what = reason === 'in_progress' ? 'attempts in progress' : 'not counted without Redis'
      super('overloaded', { headers, cause: `${what}: ${exceeded.map(describeLimit).join(', ')}` })
    }
    this.exceeded = exceeded
    this.limitHeaders = limitHeaders
    this.retryAfterSeconds = retryAfterSeconds
  }
}

const inSeconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1000))

/**
 * RateLimit-Policy and RateLimit, with one entry per limit in each. A limit that only reports has
 * none: no client has to heed it.
 */
function rateLimitHeaders(states: readonly LimitState[]): RateLimitHeaders {
  let policies = ''
  let left = ''
  for (const { limit, quota, remaining, resetMs } of states) {
    const { rule } = limit
    if (rule.isReportOnly) continue
    const separator = policies === '' ? '' : ', '
    policies += `${separator}"${rule.name}";q=${quota};w=${rule.windowSeconds}`
    left += `${separator}"${rule.name}";r=${remaining};t=${inSeconds(resetMs)}`
  }
  return ['ratelimit-policy', policies, 'ratelimit', left]
}

const noHeaders: Readonly<RawHeaders> = []

/** The headers of a request within its limits: none where all of them only report. */
export function limitHeadersOf(states: readonly LimitState[]): Readonly<RawHeaders> {
  const headers = rateLimitHeaders(states)
  return headers[1] === '' ? noHeaders : headers
}

/** @param over the limits that reject the request, of all its limits */
export function rejectRequest(
  over: readonly LimitState[],
  states: readonly LimitState[],
  isInProgress: boolean,
): RateLimited {
  const isUnavailable = over.every((state) => state.isUnavailable)
  return new RateLimited({
    exceeded: over.map(({ limit }) => limit),
    reason: isUnavailable ? 'unavailable' : isInProgress ? 'in_progress' : 'over',
    limitHeaders: rateLimitHeaders(states),
    retryAfterSeconds: inSeconds(Math.max(...over.map(({ resetMs }) => resetMs))),
  })
}

import type { EpochMs } from '../../shared/lib/time.ts'
import type { ConsumeRequest } from '../ports.ts'
import { calendarPeriod, type WindowKind } from './limit-window.ts'

/** One window of one limit: all that its requests have in common. Rows share it. */
export interface LimitRule {
  /** Name of the limit, in metrics and reports: `search`. */
  limit: string
  /**
   * Name of the window, in RateLimit headers and store keys: that of the limit, or `search/h` where
   * the limit has several windows.
   */
  name: string
  window: WindowKind
  windowSeconds: number
  /** 0 where the token has the quota. */
  quota: number
  withoutStore: ConsumeRequest['withoutStore']
  /** Whether success refunds the tokens, so that only failures count. */
  failuresOnly: boolean
  /** Whether the limit is counted and reported, and rejects no request. */
  isReportOnly: boolean
  /** Whether tokens that the store granted may go back to it. */
  mayBeRefunded: boolean
  /** Header of the upstream's response that has the cost, in lower case. */
  costHeader: string | undefined
  /** Whether its tokens are the user's usage of the limit: of several windows those of one are. */
  countsUsage: boolean
}

/** One window that one request is counted in. */
export interface Limit {
  rule: LimitRule
  /** A user's id, an address, the /64 of an IPv6 address, or another key. */
  subject: string
  quota: number
  /** Tokens that the request consumes; 0 reads the window. */
  cost: number
}

/** Whether two requests are counted as two of the same kind. */
export const isSameLimit = (one: Limit, other: Limit): boolean =>
  one.subject === other.subject &&
  one.rule === other.rule &&
  one.quota === other.quota &&
  one.cost === other.cost

export const limitKey = ({ rule, subject }: Limit): string => `${rule.name}:${subject}`

/**
 * The request for a store. The gateway's clock names the period of the calendar: one whose clock
 * runs ahead counts in the next period early, and none counts in both.
 *
 * @param tokens negative for a refund
 */
export function consumeRequestOf(
  limit: Limit,
  tokens: number,
  at: EpochMs,
  grantedBy?: ConsumeRequest['grantedBy'],
): ConsumeRequest {
  const { rule, subject, quota } = limit
  const { window, windowSeconds, withoutStore } = rule
  const isCalendar = window === 'day' || window === 'month'
  const period = isCalendar ? calendarPeriod(window, at) : undefined
  return {
    key: period ? `${rule.name}:${period.name}:${subject}` : limitKey(limit),
    windowSeconds,
    isSliding: window === 'sliding',
    endsInMs: period && period.endsAt - at,
    quota,
    tokens,
    cost: Math.max(1, limit.cost),
    grantedBy,
    withoutStore,
  }
}

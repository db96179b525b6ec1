import type { EpochMs } from '../../shared/lib/time.ts'

/**
 * How a window moves. `fixed` begins with a key's first token. `sliding` estimates the tokens of
 * the last window's length from two buckets. `day` and `month` are those of the calendar, in UTC.
 */
export type WindowKind = 'fixed' | 'sliding' | 'day' | 'month'

/** A quota and its time, as a policy file writes them: `1000/h`. */
export interface LimitWindow {
  /** Tokens; `plan` is the plan's quota, which is in the access token. */
  quota: number | 'plan'
  /** The text behind the slash: `h`, `15min`, `month`. */
  per: string
  /** The nominal length: of a month 31 days. */
  seconds: number
  /** undefined where the window is not of the calendar. */
  calendar: 'day' | 'month' | undefined
}

const daySeconds = 86_400

/** The longest window that is not of the calendar: 30 days. */
const maxWindowSeconds = 30 * daySeconds

export const maxQuota = 1_000_000_000

/** Groups: quota, count and unit, or calendar period. */
export const windowPattern = /^([1-9]\d{0,9}|plan)\/(?:([1-9]\d{0,6})?(s|min|h)|(day|month))$/

export const windowExamples = '10/s, 100/15min, 1000/h, 10000/day, 100000/month, or plan/h'

const unitSeconds = { s: 1, min: 60, h: 3600 } as const
const calendarSeconds = { day: daySeconds, month: 31 * daySeconds } as const

/** @returns undefined for a text that is no window, or out of bounds */
export function parseWindow(text: string): LimitWindow | undefined {
  const [, quotaText, count = '1', unit, calendar] = windowPattern.exec(text) ?? []
  if (quotaText === undefined) return undefined
  const quota = quotaText === 'plan' ? quotaText : Number(quotaText)
  const seconds = unit
    ? Number(count) * unitSeconds[unit as keyof typeof unitSeconds]
    : calendarSeconds[calendar as keyof typeof calendarSeconds]
  if (quota !== 'plan' && quota > maxQuota) return undefined
  if (unit && seconds > maxWindowSeconds) return undefined
  return {
    quota,
    per: text.slice(text.indexOf('/') + 1),
    seconds,
    calendar: calendar as LimitWindow['calendar'],
  }
}

interface CalendarPeriod {
  /** `2026-11-28` or `2026-11`. */
  name: string
  startsAt: EpochMs
  endsAt: EpochMs
}

/** The latest period of each kind: nearly every call falls into it. */
const latest: Record<'day' | 'month', CalendarPeriod> = {
  day: { name: '', startsAt: 0, endsAt: 0 },
  month: { name: '', startsAt: 0, endsAt: 0 },
}

/** The calendar's period, in UTC, that a moment falls into. */
export function calendarPeriod(kind: 'day' | 'month', at: EpochMs): CalendarPeriod {
  const known = latest[kind]
  if (known.startsAt <= at && at < known.endsAt) return known
  const date = new Date(at)
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
  const period =
    kind === 'day'
      ? { startsAt: Date.UTC(year, month, day), endsAt: Date.UTC(year, month, day + 1) }
      : { startsAt: Date.UTC(year, month, 1), endsAt: Date.UTC(year, month + 1, 1) }
  latest[kind] = { ...period, name: date.toISOString().slice(0, kind === 'day' ? 10 : 7) }
  return latest[kind]
}

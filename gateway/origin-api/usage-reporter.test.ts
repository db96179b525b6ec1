import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { UsageReport } from '../../shared/contract.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createClock } from '../../test/support/clock.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'
import { OriginRejection } from './origin-client.ts'
import { createUsageReporter } from './usage-reporter.ts'

type Caller = Pick<VerifiedToken, 'identity' | 'usage'>

/** A token of this user. Each request of the user may come with another one. */
const tokenOf = (sub: string) => ({ identity: { sub }, usage: undefined }) as Caller

/** A reporter, and an origin that counts each report once as long as it is there. */
function createHarness() {
  const clock = createClock(Date.UTC(2026, 10, 28, 12))
  const { log, lines } = createCapturedLog('gateway')
  const posted: UsageReport[] = []
  const counted = new Map<string, UsageReport>()
  let fault: 'none' | 'away' | 'response_lost' | 'refuses' = 'none'
  const reporter = createUsageReporter({
    async post(report) {
      posted.push(structuredClone(report))
      if (fault === 'away') throw new Error('the origin is away')
      if (fault === 'refuses') throw new OriginRejection(422, '/internal/gateway/usage')
      counted.set(report.id, structuredClone(report))
      if (fault === 'response_lost') throw new Error('no answer')
    },
    now: clock.now,
    log,
  })
  return {
    ...reporter,
    clock,
    lines,
    posted,
    meet(next: typeof fault) {
      fault = next
    },
    /** Sums at the origin, by user, day and limit. */
    totals() {
      const totals: Record<string, number> = {}
      for (const { usage } of counted.values())
        for (const { user_id, day, limit_name, used } of usage) {
          const key = `${user_id} ${day} ${limit_name}`
          totals[key] = (totals[key] ?? 0) + used
        }
      return totals
    },
  }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('usage', () => {
  test('is reported within 10 s, added up by user, day and limit, whatever token a request came with', async () => {
    const { record, totals, posted } = createHarness()
    const [token, other] = [tokenOf('ada'), tokenOf('ada')]
    for (const caller of [token, token, other]) record(caller, 'user', 1)
    record(token, 'search', 5)
    record(token, 'search', -2)
    record(tokenOf('bob'), 'user', 1)
    await vi.advanceTimersByTimeAsync(9_999)
    expect(posted).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(posted).toHaveLength(1)
    expect(totals()).toEqual({
      'ada 2026-11-28 user': 3,
      'ada 2026-11-28 search': 3,
      'bob 2026-11-28 user': 1,
    })
  })

  test('of the next day is that of the next day, also with a token that was used before', async () => {
    const { record, totals, clock } = createHarness()
    const token = tokenOf('ada')
    record(token, 'user', 1)
    await vi.advanceTimersByTimeAsync(10_000)
    clock.advance(12 * 3600)
    record(token, 'user', 1)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(totals()).toEqual({ 'ada 2026-11-28 user': 1, 'ada 2026-11-29 user': 1 })
  })

  test('without any there is no timer and no report', async () => {
    const { record, posted } = createHarness()
    expect(vi.getTimerCount()).toBe(0)
    record(tokenOf('ada'), 'user', 1)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(vi.getTimerCount()).toBe(0)
    expect(posted).toHaveLength(1)
  })
})

describe('a report that fails', () => {
  test('is sent again with its id, and what came meanwhile with another: each request is counted once', async () => {
    const { record, totals, posted, meet } = createHarness()
    const token = tokenOf('ada')
    meet('response_lost')
    for (let i = 0; i < 3; i++) record(token, 'user', 1)
    await vi.advanceTimersByTimeAsync(10_000)
    for (let i = 0; i < 2; i++) record(token, 'user', 1)
    await vi.advanceTimersByTimeAsync(10_000)
    meet('none')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(posted.map(({ usage }) => usage[0]?.used)).toEqual([3, 3, 3, 2])
    expect(new Set(posted.map(({ id }) => id)).size).toBe(2)
    expect(totals()).toEqual({ 'ada 2026-11-28 user': 5 })
  })

  test('nothing is lost while the origin is away for an hour', async () => {
    const { record, totals, meet, waiting } = createHarness()
    meet('away')
    const tokens = Array.from({ length: 50 }, (_, i) => tokenOf(`user-${i}`))
    for (let minute = 0; minute < 60; minute++) {
      for (const token of tokens) record(token, 'user', 1)
      await vi.advanceTimersByTimeAsync(60_000)
    }
    meet('none')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(Object.values(totals())).toEqual(Array(50).fill(60))
    expect(waiting()).toBe(0)
  })

  test('is dropped and logged where the origin refuses it, so that it stops no other', async () => {
    const { record, totals, lines, meet } = createHarness()
    meet('refuses')
    record(tokenOf('ada'), 'user', 1)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', dropped: 1 }))
    meet('none')
    record(tokenOf('bob'), 'user', 1)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(totals()).toEqual({ 'bob 2026-11-28 user': 1 })
  })
})

describe('memory is bounded', () => {
  test('a report has 1,000 entries, and 10,000 wait; tokens beyond are counted as dropped', async () => {
    const { record, posted, meet, waiting, totals } = createHarness()
    meet('away')
    for (let i = 0; i < 12_000; i++) record(tokenOf(`user-${i}`), 'user', 2)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(waiting()).toBe(10_000)
    meet('none')
    await vi.advanceTimersByTimeAsync(10_000)
    expect(waiting()).toBe(0)
    expect(Object.keys(totals())).toHaveLength(10_000)
    expect(Math.max(...posted.map(({ usage }) => usage.length))).toBe(1000)
    expect(posted.at(-1)?.dropped).toBe(0)
    expect(posted[0]?.dropped).toBe(4000)
  })

  test('a stopping gateway sends what is left', async () => {
    const { record, close, totals } = createHarness()
    record(tokenOf('ada'), 'user', 1)
    await close()
    expect(totals()).toEqual({ 'ada 2026-11-28 user': 1 })
    expect(vi.getTimerCount()).toBe(0)
  })
})

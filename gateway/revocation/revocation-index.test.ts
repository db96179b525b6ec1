import { beforeEach, describe, expect, test } from 'vitest'
import type { Identity } from '../../shared/auth/claims.ts'
import type { Revocation } from '../../shared/auth/revocation.ts'
import { createClock } from '../../test/support/clock.ts'
import { createIssuer } from '../../test/support/gateway/issuer.ts'
import { createRevocations, type Revocations } from './revocation-index.ts'

const { claims } = await createIssuer()
const lifeSeconds = 960

let clock = createClock()
let revocations: Revocations
beforeEach(() => {
  clock = createClock()
  revocations = createRevocations({ now: clock.now })
})

const identity = (parts: Record<string, unknown> = {}) => claims(parts) as unknown as Identity

/** An entry of this moment. */
const entry = (scope: Revocation['scope'], subject: string, epoch: number | null = null): Revocation => ({
  scope,
  subject,
  epoch,
  at: clock.now(),
  until: clock.now() + lifeSeconds * 1000,
})

const epochOf = (epoch: number) => ({ user: epoch, role: epoch, plan: epoch })

describe('a verdict', () => {
  test('session_ended: only that session, with any epochs', () => {
    const mine = identity({ epoch: epochOf(1_000_000) })
    revocations.apply([entry('session', mine.sid)])
    expect(revocations.evaluate(mine)).toBe('session_ended')
    expect(revocations.evaluate({ ...mine, sid: crypto.randomUUID() })).toBe('good')
  })

  test.each(['user', 'role', 'plan'] as const)(
    'claims_stale: a token from a lower epoch of its %s',
    (scope) => {
      const mine = identity({ epoch: epochOf(3) })
      const subject = { user: mine.sub, role: mine.role, plan: mine.plan }[scope]
      revocations.apply([entry(scope, subject, 4)])
      expect(revocations.evaluate(mine)).toBe('claims_stale')
      expect(revocations.evaluate({ ...mine, epoch: { ...epochOf(3), [scope]: 4 } })).toBe('good')
      expect(revocations.evaluate({ ...mine, epoch: { ...epochOf(9), [scope]: 3 } })).toBe('claims_stale')
      const other = { user: { sub: crypto.randomUUID() }, role: { role: 'guest' }, plan: { plan: 'pro' } }[
        scope
      ]
      expect(revocations.evaluate({ ...mine, ...other })).toBe('good')
    },
  )

  test('session_ended comes before claims_stale: refreshing would not help', () => {
    const mine = identity()
    revocations.apply([entry('user', mine.sub, 2), entry('session', mine.sid)])
    expect(revocations.evaluate(mine)).toBe('session_ended')
  })

  test('a scope is not mistaken for another of the same name', () => {
    const mine = identity({ role: 'free', plan: 'free', epoch: { user: 1, role: 5, plan: 1 } })
    revocations.apply([entry('role', 'free', 5)])
    expect(revocations.evaluate(mine)).toBe('good')
  })

  test('in any order and any number, a lower epoch never takes the place of a higher one', () => {
    const mine = identity({ epoch: epochOf(4) })
    const entries = [3, 5, 4, 5, 1, 2].map((epoch) => entry('plan', mine.plan, epoch))
    for (const order of [entries, entries.toReversed()]) {
      const fresh = createRevocations({ now: clock.now })
      for (const one of order) fresh.apply([one])
      expect(fresh.evaluate(mine)).toBe('claims_stale')
      expect(fresh.evaluate({ ...mine, epoch: epochOf(5) })).toBe('good')
    }
  })

  test('a lower epoch that expires later does not shorten the higher one', () => {
    const mine = identity({ epoch: epochOf(4) })
    revocations.apply([entry('plan', mine.plan, 5)])
    clock.advance(900)
    revocations.apply([entry('plan', mine.plan, 3)])
    clock.advance(59)
    expect(revocations.evaluate(mine)).toBe('claims_stale')
  })

  test('good again once the entry has expired: every token that it concerned has expired by then', () => {
    const mine = identity()
    revocations.apply([entry('session', mine.sid)])
    clock.advance(lifeSeconds - 1)
    expect(revocations.evaluate(mine)).toBe('session_ended')
    clock.advance(1)
    expect(revocations.evaluate(mine)).toBe('good')
  })
})

describe('what is held', () => {
  test('an entry that is applied again changes nothing', () => {
    const one = entry('session', crypto.randomUUID())
    expect(revocations.apply([one, one])).toEqual([one])
    expect(revocations.apply([one])).toEqual([])
    expect(revocations.size).toBe(1)
  })

  test('6 hours at 10 entries a second: the index holds the entries of at most two lifetimes', () => {
    const sids: string[] = []
    let most = 0
    for (let second = 0; second < 6 * 3600; second += 60) {
      const entries = Array.from({ length: 600 }, (_, i) => entry('session', `${second}-${i}`))
      sids.push(`${second}-0`)
      revocations.apply(entries)
      most = Math.max(most, revocations.size)
      for (const [index, sid] of sids.slice(-16).entries())
        expect(revocations.evaluate(identity({ sid })), `${index}`).toBe('session_ended')
      clock.advance(60)
    }
    expect(most).toBeLessThanOrEqual(2 * lifeSeconds * 10 + 1200)
  })

  test('entries that ran out before they came are not held', () => {
    const one = entry('session', crypto.randomUUID())
    clock.advance(lifeSeconds)
    revocations.apply([one])
    expect(revocations.size).toBe(0)
  })
})

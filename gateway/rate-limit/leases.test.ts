import { beforeEach, expect, test } from 'vitest'
import { hash30 } from '../../shared/lib/hash30.ts'
import { createClock } from '../../test/support/clock.ts'
import type { KeyedLimit } from './keyed-limit.ts'
import { createLeases } from './leases.ts'

let clock: ReturnType<typeof createClock>
let leases: ReturnType<typeof createLeases>
beforeEach(() => {
  clock = createClock()
  leases = createLeases({ maxLeaseTokens: 100, replicas: 1, now: clock.now })
})

const limitOf = (countedFor: string): KeyedLimit => ({
  name: 'user',
  countedFor,
  quota: 1000,
  windowSeconds: 60,
  outage: 'share',
})

/** Notes an answer of the store, as for one request. */
const renew = (limit: KeyedLimit, used = 1) =>
  leases.renew(leases.find(limit), limit, used, clock.now() + 60_000)

test('a caller that comes once takes no lease, one that comes again soon does', () => {
  const ada = limitOf('ada')
  expect(renew(ada)).toBeUndefined()
  clock.advance(10)
  expect(renew(ada)).toBeUndefined()
  expect(leases.find(ada)).toBeUndefined()
  expect(renew(ada)).toMatchObject({ tokens: 0, size: 1 })
  expect(renew(ada)).toMatchObject({ size: 2 })
  expect(renew(ada)).toBe(leases.find(ada))
})

test('a caller that others push out between two requests takes no lease', () => {
  renew(limitOf('ada'))
  for (let i = 0; i < 1_000_000; i++) renew(limitOf(`caller ${i}`))
  expect(renew(limitOf('ada'))).toBeUndefined()
})

/** Two callers of one hash. */
function colliding(): [string, string] {
  const byHash = new Map<number, string>()
  for (let i = 0; ; i++) {
    const caller = `10.${i}`
    const other = byHash.get(hash30(caller))
    if (other !== undefined) return [other, caller]
    byHash.set(hash30(caller), caller)
  }
}

// Else one address would use up the tokens of another.
test('callers of one hash have a lease each, and so have two quotas of one caller', () => {
  const [one, other] = colliding()
  const limits = [limitOf(one), limitOf(other), { ...limitOf(one), quota: 5 }]
  for (const limit of limits) {
    renew(limit)
    renew(limit)
  }
  const found = limits.map((limit) => leases.find(limit))
  expect(new Set(found).size).toBe(3)
  for (const [index, lease] of found.entries()) expect(lease?.limit).toEqual(limits[index])
})

test('the tokens of a window end with it', () => {
  const ada = limitOf('ada')
  renew(ada)
  const lease = renew(ada)
  if (lease) lease.tokens = 5
  clock.advance(60)
  expect(leases.find(ada)).toBeUndefined()
  expect(leases.renew(lease, ada, 1, clock.now() + 60_000)).toMatchObject({ tokens: 0 })
  expect(leases.find(ada)).toMatchObject({ tokens: 0 })
})

test('never more than the fair share of what is left', () => {
  const ada = limitOf('ada')
  for (let i = 0; i < 20; i++) renew(ada)
  expect(renew(ada, 900)?.size).toBe(50)
  expect(renew(ada, 1000)?.size).toBe(0)
})

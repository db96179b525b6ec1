import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chain } from '../../shared/lib/async.ts'
import { hash30 } from '../../shared/lib/hash30.ts'
import { createClock } from '../../test/support/clock.ts'
import type { ConsumeRequest, ConsumeResult } from '../ports.ts'
import { createBatchedConsumer, type LimitResult } from './batched-consumer.ts'
import { createMemoryStore } from './memory-store.ts'

const windowSeconds = 60

interface HarnessOptions {
  quota: number
  maxLeaseTokens?: number
  gateways?: number
}

/**
 * Gateways on one store, each on a connection of its own that keeps their order as Redis does.
 * Nothing happens by itself: when a turn of an event loop ends, when a call reaches the store and
 * when its answer comes back is for a test to say.
 */
function createHarness({ quota, maxLeaseTokens = 0, gateways = 1 }: HarnessOptions) {
  const clock = createClock()
  const rateLimitStore = createMemoryStore({ shared: true, now: clock.now })
  const given: { gateway: number; key: string; result: LimitResult }[] = []
  let asked = 0
  const wanted = (countedFor: string) =>
    ({ name: 'user', countedFor, windowSeconds, quota, outage: 'share' }) as const

  const links = Array.from({ length: gateways }, (_, gateway) => {
    const sent: { requests: readonly ConsumeRequest[]; answer: (results: ConsumeResult[]) => void }[] = []
    const answers: (() => void)[] = []
    const turns: (() => void)[] = []
    const limitConsumer = createBatchedConsumer({
      rateLimitStore: { consume: (requests) => new Promise((answer) => sent.push({ requests, answer })) },
      now: clock.now,
      defer: (run) => turns.push(run),
      maxLeaseTokens,
      replicas: gateways,
    })
    return {
      calls: () => sent.length,
      async ask(key: string) {
        asked++
        void chain(limitConsumer.consumeAll([wanted(key)], undefined), ([result]) => {
          given.push({ gateway, key, result: result as LimitResult })
        })
      },
      async return(key: string) {
        const at = given.findIndex((one) => one.gateway === gateway && one.key === key && one.result.granted)
        const [returned] = at === -1 ? [] : given.splice(at, 1)
        if (!returned) return
        asked--
        limitConsumer.refund(wanted(key), returned.result)
      },
      async turn() {
        turns.shift()?.()
      },
      async reach() {
        const call = sent.shift()
        if (!call) return
        const results = await rateLimitStore.consume(call.requests)
        answers.push(() => call.answer(results))
      },
      async answer() {
        answers.shift()?.()
        await new Promise(setImmediate)
      },
      isIdle: () => sent.length + answers.length + turns.length === 0,
    }
  })

  return {
    clock,
    links,
    asked: () => asked,
    grantedOf: (key: string) => given.filter((one) => one.key === key && one.result.granted).length,
    refusedOf: (key: string) => given.filter((one) => one.key === key && !one.result.granted).length,
    async settle() {
      while (!links.every((link) => link.isIdle()))
        for (const link of links) {
          await link.turn()
          await link.reach()
          await link.answer()
        }
    },
  }
}

type Act = 'ask' | 'return' | 'turn' | 'reach' | 'answer'
interface Step {
  gateway: number
  act: Act
  key: string
  /** How often at once, where it is to ask. */
  times: number
}

const stepsOf = (gateways: number, acts: readonly Act[]) =>
  fc.array(
    fc.record<Step>({
      gateway: fc.nat({ max: gateways - 1 }),
      act: fc.constantFrom(...acts),
      key: fc.constantFrom('a', 'a', 'a', 'b'),
      times: fc.integer({ min: 1, max: 15 }),
    }),
    { minLength: 10, maxLength: 150 },
  )

async function play({ links }: ReturnType<typeof createHarness>, steps: readonly Step[], after = () => {}) {
  for (const { gateway, act, key, times } of steps) {
    for (let i = 0; i < (act === 'ask' ? times : 1); i++) await links[gateway]?.[act](key)
    after()
  }
}

const askedIn = (steps: readonly Step[], key: string) =>
  steps.filter((step) => step.act === 'ask' && step.key === key).reduce((sum, { times }) => sum + times, 0)

/** Asking is most of what happens. */
const acts: readonly Act[] = ['ask', 'ask', 'turn', 'turn', 'reach', 'answer']

fc.configureGlobal({ numRuns: 500 })

const quotas = fc.integer({ min: 1, max: 200 })
const maxLeaseSizes = fc.integer({ min: 1, max: 20 })

describe('without leases, whatever the order of events', () => {
  test('each key is granted its quota to the last token and not one more', async () => {
    await fc.assert(
      fc.asyncProperty(quotas, stepsOf(3, acts), async (quota, steps) => {
        const harness = createHarness({ quota, gateways: 3 })
        await play(harness, steps)
        await harness.settle()
        for (const key of ['a', 'b']) {
          expect(harness.grantedOf(key)).toBe(Math.min(quota, askedIn(steps, key)))
          expect(harness.grantedOf(key) + harness.refusedOf(key)).toBe(askedIn(steps, key))
        }
      }),
    )
  })

  test('what was given back is granted again, and no more than the quota is out at any time', async () => {
    await fc.assert(
      fc.asyncProperty(quotas, stepsOf(2, [...acts, 'return']), async (quota, steps) => {
        const harness = createHarness({ quota, gateways: 2 })
        await play(harness, steps, () => expect(harness.grantedOf('a')).toBeLessThanOrEqual(quota))
        await harness.settle()
        const out = harness.grantedOf('a')
        for (let i = 0; i < quota + 1; i++) await harness.links[i % 2]?.ask('a')
        await harness.settle()
        expect(harness.grantedOf('a')).toBe(quota)
        expect(out).toBeLessThanOrEqual(quota)
      }),
    )
  })
})

describe('with leases, whatever the order of events', () => {
  test('no key is granted more than its quota, and none rejected earlier than the others may have prefetched', async () => {
    await fc.assert(
      fc.asyncProperty(quotas, maxLeaseSizes, stepsOf(3, acts), async (quota, maxLeaseTokens, steps) => {
        const harness = createHarness({ quota, maxLeaseTokens, gateways: 3 })
        await play(harness, steps)
        await harness.settle()
        for (const key of ['a', 'b']) {
          expect(harness.grantedOf(key)).toBeLessThanOrEqual(quota)
          if (harness.refusedOf(key) > 0)
            expect(harness.grantedOf(key)).toBeGreaterThanOrEqual(quota - 2 * maxLeaseTokens)
        }
      }),
    )
  })

  test('one gateway alone rejects no request while tokens are left', async () => {
    await fc.assert(
      fc.asyncProperty(quotas, maxLeaseSizes, stepsOf(1, acts), async (quota, maxLeaseTokens, steps) => {
        const harness = createHarness({ quota, maxLeaseTokens })
        await play(harness, steps)
        await harness.settle()
        expect(harness.grantedOf('a')).toBe(Math.min(quota, askedIn(steps, 'a')))
      }),
    )
  })

  // Each prefetched token is one that another gateway refuses too early.
  test('no more tokens are prefetched than the largest lease, however slow the store is', async () => {
    const harness = createHarness({ quota: 2000, maxLeaseTokens: 10, gateways: 2 })
    const [slow, other] = harness.links
    for (let i = 0; i < 60; i++) {
      await slow?.ask('a')
      await harness.settle()
    }
    for (let i = 0; i < 20; i++) {
      await slow?.ask('a')
      await slow?.turn()
    }
    // Asked while nothing was prefetched, sent when an answer has filled it.
    await slow?.ask('a')
    await slow?.reach()
    await slow?.answer()
    await harness.settle()
    for (let i = 0; i < 2000; i++) await other?.ask('a')
    await harness.settle()
    expect(harness.refusedOf('a')).toBeGreaterThan(0)
    expect(harness.grantedOf('a')).toBeGreaterThanOrEqual(2000 - 10)
  })

  // Waiters beyond what a lease had brought were refused by the thousand on one hot key, while a
  // thousand keys looked fine.
  test('a crowd on one hot key gets its whole quota, also while a lease is on its way', async () => {
    const harness = createHarness({ quota: 5000, maxLeaseTokens: 50 })
    const [link] = harness.links
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 100; i++) await link?.ask('a')
      await link?.turn()
      if (round % 3 === 0) await link?.reach()
      if (round % 5 === 0) await link?.answer()
    }
    await harness.settle()
    expect(harness.refusedOf('a')).toBe(0)
    for (let i = 0; i < 4000; i++) await link?.ask('a')
    await harness.settle()
    expect(harness.grantedOf('a')).toBe(5000)
  })

  test('a busy key calls the store for few of its requests', async () => {
    const harness = createHarness({ quota: 10_000, maxLeaseTokens: 50 })
    const [link] = harness.links
    let calls = 0
    for (let i = 0; i < 1000; i++) {
      await link?.ask('a')
      await link?.turn()
      calls += link?.calls() ?? 0
      await link?.reach()
      await link?.answer()
    }
    expect(harness.grantedOf('a')).toBe(1000)
    expect(calls).toBeLessThan(30)
  })

  test('prefetched tokens end with their window', async () => {
    const harness = createHarness({ quota: 100, maxLeaseTokens: 10 })
    const [link] = harness.links
    const spend = async (times: number) => {
      for (let i = 0; i < times; i++) {
        await link?.ask('a')
        await harness.settle()
      }
    }
    await spend(30)
    harness.clock.advance(windowSeconds)
    await spend(100)
    expect(harness.grantedOf('a')).toBe(130)
    await spend(1)
    expect(harness.refusedOf('a')).toBe(1)
  })
})

test('all requests of one tick are one call, however many keys and requests', async () => {
  const harness = createHarness({ quota: 100, gateways: 1 })
  const [link] = harness.links
  for (let i = 0; i < 50; i++) for (const key of ['a', 'b', 'c']) await link?.ask(key)
  await link?.turn()
  expect(link?.calls()).toBe(1)
})

// A try begun in one window and answered in the next would else add one to what the next allows.
test('what is given back after its window has ended adds nothing to the next', async () => {
  const harness = createHarness({ quota: 2 })
  const [link] = harness.links
  await link?.ask('a')
  await harness.settle()
  harness.clock.advance(windowSeconds)
  await link?.ask('a')
  await link?.ask('a')
  await harness.settle()
  await link?.return('a')
  await link?.ask('a')
  await harness.settle()
  expect(harness.refusedOf('a')).toBe(1)
})

/** Permits that count each request, and what they took. */
function createExact() {
  const clock = createClock()
  const rateLimitStore = createMemoryStore({ shared: true, now: clock.now })
  const taken: ConsumeRequest[] = []
  const limitConsumer = createBatchedConsumer({
    rateLimitStore: {
      consume(requests) {
        taken.push(...requests)
        return rateLimitStore.consume(requests)
      },
    },
    now: clock.now,
    defer: queueMicrotask,
    maxLeaseTokens: 0,
    replicas: 1,
  })
  return { limitConsumer, taken }
}

// A user who has changed plans and sends the old token and the new one at once.
test('two quotas of one key in one turn: each is held against its own', async () => {
  const { limitConsumer } = createExact()
  const wanted = (quota: number) =>
    ({ name: 'user', countedFor: 'ada', windowSeconds, quota, outage: 'share' }) as const
  const results = await Promise.all(
    [10, 1, 10, 1].map((quota) => limitConsumer.consumeAll([wanted(quota)], undefined)),
  )
  expect(results.map(([result]) => result?.granted)).toEqual([true, false, true, false])
})

test('two callers of one mark in one turn: each is counted for itself', async () => {
  const { limitConsumer, taken } = createExact()
  const callers = ['ada', '\0ada']
  expect(hash30('\0ada')).toBe(hash30('ada'))
  const results = await Promise.all(
    callers.map((countedFor) =>
      limitConsumer.consumeAll(
        [{ name: 'user', countedFor, windowSeconds, quota: 1, outage: 'share' }],
        undefined,
      ),
    ),
  )
  expect(results.map(([result]) => result?.granted)).toEqual([true, true])
  expect(taken.map(({ key }) => key)).toEqual(callers.map((caller) => `user:${caller}`))
})

test('one caller, quota and window under two names: each is counted for itself', async () => {
  const { limitConsumer, taken } = createExact()
  const wanted = (name: string) =>
    ({ name, countedFor: '10.0.0.1', windowSeconds, quota: 1, outage: 'share' }) as const
  const results = await limitConsumer.consumeAll([wanted('address'), wanted('credentials')], undefined)
  expect(results.map(({ granted }) => granted)).toEqual([true, true])
  expect(taken.map(({ key, tokens }) => [key, tokens])).toEqual([
    ['address:10.0.0.1', 1],
    ['credentials:10.0.0.1', 1],
  ])
})

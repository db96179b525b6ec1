import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chain } from '../../shared/lib/async.ts'
import { hash30 } from '../../shared/lib/hash30.ts'
import { createClock } from '../../test/support/clock.ts'
import { limitOf } from '../../test/support/gateway/limit.ts'
import type { Limit } from '../limits/limit-rule.ts'
import type { ConsumeRequest, ConsumeResult } from '../ports.ts'
import { createBatchedConsumer, type LimitResult } from './batched-consumer.ts'
import { createMemoryStore } from './memory-store.ts'

const windowSeconds = 60

interface HarnessOptions {
  quota: number
  gateways?: number
}

/**
 * Gateways on one store, each on a connection of its own that keeps their order as Redis does.
 * Nothing happens by itself: when a turn of an event loop ends, when a call reaches the store and
 * when its answer comes back is for a test to say.
 */
function createHarness({ quota, gateways = 1 }: HarnessOptions) {
  const clock = createClock()
  const rateLimitStore = createMemoryStore({ shared: true, now: clock.now })
  const given: { gateway: number; key: string; result: LimitResult }[] = []
  let asked = 0
  const { rule } = limitOf({ name: 'user', subject: '', windowSeconds })
  const wanted = (subject: string): Limit => ({ rule, subject, quota, cost: 1 })

  const links = Array.from({ length: gateways }, (_, gateway) => {
    const sent: { requests: readonly ConsumeRequest[]; answer: (results: ConsumeResult[]) => void }[] = []
    const answers: (() => void)[] = []
    const turns: (() => void)[] = []
    const limitConsumer = createBatchedConsumer({
      rateLimitStore: { consume: (requests) => new Promise((answer) => sent.push({ requests, answer })) },
      now: clock.now,
      defer: (run) => turns.push(run),
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
        limitConsumer.adjust(wanted(key), returned.result, -1)
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

describe('for any order of events', () => {
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

  test('a refunded token is granted again, and no more than the quota is granted at any time', async () => {
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

test('all requests of one tick are one call, however many keys and requests', async () => {
  const harness = createHarness({ quota: 100, gateways: 1 })
  const [link] = harness.links
  for (let i = 0; i < 50; i++) for (const key of ['a', 'b', 'c']) await link?.ask(key)
  await link?.turn()
  expect(link?.calls()).toBe(1)
})

// A try begun in one window and answered in the next would else add one to what the next allows.
test('a refund after the end of its window adds nothing to the next', async () => {
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
  })
  return { limitConsumer, taken }
}

// A user who has changed plans and sends the old token and the new one at once.
test('two quotas of one key in one turn: each is held against its own', async () => {
  const { limitConsumer } = createExact()
  const { rule } = limitOf({ name: 'user', subject: '', windowSeconds })
  const wanted = (quota: number): Limit => ({ rule, subject: 'ada', quota, cost: 1 })
  const results = await Promise.all(
    [10, 1, 10, 1].map((quota) => limitConsumer.consumeAll([wanted(quota)], undefined)),
  )
  expect(results.map(([result]) => result?.granted)).toEqual([true, false, true, false])
})

test('two callers of one hash in one tick: each is counted for itself', async () => {
  const { limitConsumer, taken } = createExact()
  const callers = ['ada', '\0ada']
  expect(hash30('\0ada')).toBe(hash30('ada'))
  const results = await Promise.all(
    callers.map((subject) =>
      limitConsumer.consumeAll([limitOf({ name: 'user', subject, windowSeconds })], undefined),
    ),
  )
  expect(results.map(([result]) => result?.granted)).toEqual([true, true])
  expect(taken.map(({ key }) => key)).toEqual(callers.map((caller) => `user:${caller}`))
})

test('one caller, quota and window under two names: each is counted for itself', async () => {
  const { limitConsumer, taken } = createExact()
  const wanted = (name: string) => limitOf({ name, subject: '10.0.0.1', windowSeconds })
  const results = await limitConsumer.consumeAll([wanted('address'), wanted('credentials')], undefined)
  expect(results.map(({ granted }) => granted)).toEqual([true, true])
  expect(taken.map(({ key, tokens }) => [key, tokens])).toEqual([
    ['address:10.0.0.1', 1],
    ['credentials:10.0.0.1', 1],
  ])
})

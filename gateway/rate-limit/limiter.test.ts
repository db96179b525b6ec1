import { describe, expect, test } from 'vitest'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { limitOf } from '../../test/support/gateway/limit.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import type { PolicyRow } from '../policy/policy.ts'
import type { RateLimitStore } from '../ports.ts'
import { createBatchedConsumer } from './batched-consumer.ts'
import { createLimiter, type Limiter } from './limiter.ts'
import { createMemoryStore } from './memory-store.ts'

const limits = (requests: number, seconds = 60) => ({
  LIMIT_ADDRESS_REQUESTS: String(requests),
  LIMIT_ADDRESS_SECONDS: String(seconds),
})

describe('anonymous requests', () => {
  test('200 with remaining tokens, as structured fields; every policy has its limit', async () => {
    const harness = await createGatewayHarness({ environment: limits(3) })
    for (const left of [2, 1, 0]) {
      const { headers, status } = await harness.call('/open')
      expect(status).toBe(200)
      expect(parseList(headers.get('ratelimit-policy'))).toEqual([
        { value: 'address', parameters: { q: 3, w: 60 } },
      ])
      expect(parseList(headers.get('ratelimit'))).toEqual([
        { value: 'address', parameters: { r: left, t: 60 } },
      ])
    }
  })

  test('429 rate_limited: one more, with Retry-After that agrees with t, and the policies violated', async () => {
    const harness = await createGatewayHarness({ environment: limits(1) })
    await harness.call('/open')
    // The first is refused by the count, the second by memory of it.
    for (let i = 0; i < 2; i++) {
      const answer = await harness.call('/open')
      expect(answer.status).toBe(429)
      const [policy] = parseList(answer.headers.get('ratelimit-policy'))
      const [limit] = parseList(answer.headers.get('ratelimit'))
      expect(policy).toEqual({ value: 'address', parameters: { q: 1, w: 60 } })
      expect(limit?.parameters.r).toBe(0)
      expect(answer.headers.get('retry-after')).toBe(String(limit?.parameters.t))
      expect(await problem(answer)).toMatchObject({
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        status: 429,
        code: 'rate_limited',
        'violated-policies': ['address'],
      })
    }
    expect(harness.forwarded).toHaveLength(1)
  })

  test('200: another address has a count of its own', async () => {
    const harness = await createGatewayHarness({ environment: limits(1) })
    expect((await harness.call('/open', { address: '203.0.113.1' })).status).toBe(200)
    expect((await harness.call('/open', { address: '203.0.113.2' })).status).toBe(200)
    expect((await harness.call('/open', { address: '203.0.113.1' })).status).toBe(429)
  })

  test('200: the window ends, and the count begins anew', async () => {
    const clock = createClock(Date.now())
    const { now } = clock
    const harness = await createGatewayHarness({
      environment: limits(1, 1),
      now,
      rateLimitStore: createMemoryStore({ shared: true, now }),
    })
    expect((await harness.call('/open')).status).toBe(200)
    const refused = await harness.call('/open')
    expect(refused.status).toBe(429)
    clock.advance(Number(refused.headers.get('retry-after')))
    expect((await harness.call('/open')).status).toBe(200)
  })

  test('exactly the limit passes of a hundred requests at once', async () => {
    const harness = await createGatewayHarness({ environment: limits(40) })
    const answers = await Promise.all(Array.from({ length: 100 }, () => harness.call('/open')))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(60)
  })
})

describe('users', () => {
  test('429 rate_limited: the quota of the token applies at every address', async () => {
    const harness = await createGatewayHarness({ environment: limits(1) })
    const headers = bearer(await harness.issuer.sign({ quota: 2 }))
    for (const left of [1, 0]) {
      const answer = await harness.call('/closed', { headers, address: `203.0.113.${left}` })
      expect(answer.status).toBe(200)
      expect(parseList(answer.headers.get('ratelimit'))[0]).toMatchObject({
        value: 'user',
        parameters: { r: left },
      })
    }
    const refused = await harness.call('/closed', { headers, address: '203.0.113.9' })
    expect(refused.status).toBe(429)
    expect((await problem(refused))['violated-policies']).toEqual(['user'])
  })

  test('200: another user of the same address has a quota of his own; two tokens of one user share it', async () => {
    const harness = await createGatewayHarness({ environment: limits(1) })
    const sub = crypto.randomUUID()
    const call = async (claims: Record<string, unknown>) =>
      (await harness.call('/closed', { headers: bearer(await harness.issuer.sign({ quota: 1, ...claims })) }))
        .status
    expect(await call({ sub })).toBe(200)
    expect(await call({})).toBe(200)
    expect(await call({ sub })).toBe(429)
  })

  test('a row may name two limits: each counts, and the response headers have both', async () => {
    const both: PolicyRow = { ...openRow, path: '/both', who: 'user', limits: ['address', 'user'] }
    const harness = await createGatewayHarness({ policy: [both], environment: limits(2) })
    const headers = bearer(await harness.issuer.sign({ quota: 5 }))
    const answer = await harness.call('/both', { headers })
    expect(
      parseList(answer.headers.get('ratelimit')).map(({ value, parameters: { r } }) => [value, r]),
    ).toEqual([
      ['address', 1],
      ['user', 4],
    ])
    await harness.call('/both', { headers })
    const refused = await harness.call('/both', { headers })
    expect(refused.status).toBe(429)
    expect((await problem(refused))['violated-policies']).toEqual(['address'])
  })
})

// A refusal that outlives the plan it came from would punish whoever has just paid.
test('200: a user over the quota who changes to a larger plan is served at once', async () => {
  const harness = await createGatewayHarness()
  const sub = crypto.randomUUID()
  const call = async (quota: number) =>
    (await harness.call('/closed', { headers: bearer(await harness.issuer.sign({ sub, quota })) })).status
  expect(await call(1)).toBe(200)
  expect(await call(1)).toBe(429)
  expect(await call(10)).toBe(200)
})

describe('failed authentications', () => {
  test('429 rate_limited: wrong tokens and missing ones count against the address', async () => {
    const harness = await createGatewayHarness({ environment: limits(3) })
    const statuses: number[] = []
    for (const headers of [{}, bearer('x.y.z'), { authorization: 'Basic x' }, bearer('x.y.z')])
      statuses.push((await harness.call('/closed', { headers })).status)
    expect(statuses).toEqual([401, 401, 401, 429])
  })

  test('200: a good token does not count against the address', async () => {
    const harness = await createGatewayHarness({ environment: limits(1) })
    const headers = bearer(await harness.issuer.sign())
    for (let i = 0; i < 5; i++) expect((await harness.call('/closed', { headers })).status).toBe(200)
    expect((await harness.call('/open')).status).toBe(200)
  })
})

describe('a store that is not shared', () => {
  const limit = limitOf({ subject: 'x', quota: 10 })
  const window = { resetMs: 60_000, quota: 10 }
  /** A counter as it is while Redis is away, or back. */
  const counting = (state: { shared: boolean; used: number; calls?: number }): RateLimitStore => ({
    async consume(requests) {
      state.calls = (state.calls ?? 0) + 1
      return requests.map(() => {
        const granted = state.used < window.quota ? 1 : 0
        state.used += granted
        return { ...window, granted, used: state.used, shared: state.shared }
      })
    },
  })
  const limiting = (rateLimitStore: RateLimitStore, now: () => number = Date.now) =>
    createLimiter({
      limitConsumer: createBatchedConsumer({ rateLimitStore, now, defer: queueMicrotask }),
      now,
    })
  const count = async (limiter: Limiter) => limiter.count([limit])

  // Else a caller over his share in a second without Redis would be refused to the window's end, an
  // hour for a user.
  test('a rejection at the local store is not cached: the key is counted anew when Redis is back', async () => {
    const state = { shared: false, used: 10 }
    const limiter = limiting(counting(state))
    await expect(count(limiter)).rejects.toThrow('rate_limited')
    state.shared = true
    state.used = 1
    await count(limiter)
    await count(limiter)
  })

  test('a rejection of the shared store is cached: the store is not called again', async () => {
    const state = { shared: true, used: 10, calls: 0 }
    const clock = createClock()
    const limiter = limiting(counting(state), clock.now)
    await expect(count(limiter)).rejects.toThrow('rate_limited')
    await expect(count(limiter)).rejects.toThrow('rate_limited')
    expect(state.calls).toBe(1)
    clock.advance(60)
    await expect(count(limiter)).rejects.toThrow('rate_limited')
    expect(state.calls).toBe(2)
  })
})

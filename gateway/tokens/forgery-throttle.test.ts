import { describe, expect, test, vi } from 'vitest'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, type GatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { createIssuer, encodePart } from '../../test/support/gateway/issuer.ts'
import { createForgeryThrottle, signatureFailuresAllowed } from './forgery-throttle.ts'

const closed = async (harness: GatewayHarness, token: string, address?: string) => {
  const answer = await harness.call('/closed', { headers: bearer(token), address })
  return answer.ok ? '200' : `${answer.status} ${(await problem(answer)).code}`
}

/** An address whose anonymous requests are used up. */
async function usedUp() {
  const harness = await createGatewayHarness({ environment: { LIMIT_ADDRESS_REQUESTS: '1' } })
  await harness.call('/open')
  expect((await harness.call('/open')).status).toBe(429)
  return harness
}

/** A token of this header and these claims that nobody signed. */
const unsigned = async (harness: GatewayHarness, claims = {}, header = {}) => {
  const signed = await harness.issuer.sign(claims, header)
  return `${signed.slice(0, signed.lastIndexOf('.'))}.${encodePart('x'.repeat(64))}`
}

describe('an address over its anonymous limit', () => {
  test('200: a valid token that this gateway has not seen before', async () => {
    const harness = await usedUp()
    expect(await closed(harness, await harness.issuer.sign())).toBe('200')
  })

  test('200: also by a key that was published after the set was read', async () => {
    const clock = createClock()
    const next = await createIssuer(clock.now)
    let published: unknown
    const harness = await createGatewayHarness({
      environment: { LIMIT_ADDRESS_REQUESTS: '1' },
      now: clock.now,
      keys: (jwks) => published ?? jwks,
    })
    await harness.call('/open')
    expect((await harness.call('/open')).status).toBe(429)
    published = { keys: [harness.issuer.publicJwk, next.publicJwk] }
    clock.advance(11)
    expect(await closed(harness, await next.sign())).toBe('200')
  })

  // A client that was told 429 in place of 401 would wait for 15 minutes instead of refreshing.
  test('401 invalid_token: an expired token, which is never counted', async () => {
    const harness = await usedUp()
    const exp = Math.floor(Date.now() / 1000) - 60
    for (let i = 0; i < 3; i++)
      expect(await closed(harness, await harness.issuer.sign({ exp }))).toBe('401 invalid_token')
    for (let i = 0; i < 3; i++)
      expect(await closed(harness, await harness.issuer.sign({ exp }), '203.0.113.9')).toBe(
        '401 invalid_token',
      )
    expect((await harness.call('/open', { address: '203.0.113.9' })).status).toBe(200)
  })

  test.each<[string, (harness: GatewayHarness) => string | Promise<string>]>([
    ['is none', () => 'x.y.z'],
    ['is for somebody else', (harness) => harness.issuer.sign({ aud: 'other' })],
    [
      'is of another issuer, and expired',
      (harness) => harness.issuer.sign({ iss: 'https://other.example', exp: 1 }),
    ],
    ['names no known key', (harness) => harness.issuer.sign({}, { kid: 'unknown' })],
    ['nobody signed', (harness) => unsigned(harness)],
  ])('429 rate_limited: a token that %s', async (_, make) => {
    const harness = await usedUp()
    expect(await closed(harness, await make(harness))).toBe('429 rate_limited')
  })
})

describe('forged signatures', () => {
  // In real time the checks would be spread; with a clock that stands still, the queue fills.
  const flooded = async () => {
    const now = Date.now()
    const harness = await createGatewayHarness({
      now: () => now,
      environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
    })
    for (let i = 0; i < signatureFailuresAllowed; i++)
      expect(await closed(harness, await unsigned(harness))).toBe('401 invalid_token')
    return harness
  }

  test('200: an unseen token of an address with too many of them waits for its turn and is served', async () => {
    const harness = await flooded()
    for (let i = 0; i < 5; i++) expect(await closed(harness, await harness.issuer.sign())).toBe('200')
    expect(await closed(harness, await unsigned(harness))).toBe('401 invalid_token')
  })

  test('503 overloaded: only where the queue is full, with Retry-After 1; known tokens and other addresses are served', async () => {
    const harness = await flooded()
    const seen = await harness.issuer.sign()
    expect(await closed(harness, seen)).toBe('200')
    const forged = await unsigned(harness)
    const flood = Array.from({ length: 300 }, () => harness.call('/closed', { headers: bearer(forged) }))
    const full = await harness.call('/closed', { headers: bearer(await harness.issuer.sign()) })
    expect(full.status).toBe(503)
    expect(full.headers.get('retry-after')).toBe('1')
    expect((await problem(full)).code).toBe('overloaded')
    expect(await closed(harness, seen)).toBe('200')
    expect(await closed(harness, await harness.issuer.sign(), '203.0.113.9')).toBe('200')
    const outcomes = new Set((await Promise.all(flood)).map(({ status }) => status))
    expect(outcomes).toEqual(new Set([401, 503]))
  })
})

describe('the pace', () => {
  const failing = () => {
    const clock = createClock()
    const checks = createForgeryThrottle({ now: clock.now })
    const fail = (caller: string) => {
      for (let i = 0; i < signatureFailuresAllowed; i++) checks.recordForgery(caller)
    }
    return { clock, checks, fail }
  }

  test('an address waits for nothing before its failures are used up, nor when they are a minute old', () => {
    const { clock, checks, fail } = failing()
    expect(checks.throttle('a')).toBeUndefined()
    fail('a')
    expect(checks.throttle('a')).toBeInstanceOf(Promise)
    expect(checks.throttle('b')).toBeUndefined()
    clock.advance(61)
    expect(checks.throttle('a')).toBeUndefined()
  })

  test('one address fills its own queue and not that of another', async () => {
    vi.useFakeTimers()
    try {
      const { checks, fail } = failing()
      fail('a')
      fail('b')
      const turns: unknown[] = []
      const take = (caller: string) => {
        try {
          turns.push(checks.throttle(caller))
          return true
        } catch {
          return false
        }
      }
      const taken = Array.from({ length: 1000 }, () => take('a')).filter(Boolean).length
      expect(taken).toBe(101)
      expect(take('b')).toBe(true)
      vi.runAllTimers()
      await Promise.all(turns)
    } finally {
      vi.useRealTimers()
    }
  })

  test('holds a bounded number of addresses', () => {
    const { checks } = failing()
    for (let i = 0; i < 50_000; i++) checks.recordForgery(String(i))
    expect(checks.size).toBeLessThanOrEqual(20_000)
  })
})

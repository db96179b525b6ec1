import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RateLimitReport } from '../../shared/contract.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { bearer } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { limitOf } from '../../test/support/gateway/limit.ts'
import { createRateLimitReporter } from './rate-limit-reporter.ts'

const over = (subject: string, name = 'address') => [limitOf({ name, subject })]
const open = { method: 'GET', route: '/open' }

/** An origin that answers when a test says so. */
function createReporterHarness() {
  const { log, lines } = createCapturedLog('gateway')
  const batches: RateLimitReport[] = []
  const answers: PromiseWithResolvers<void>[] = []
  const rateLimitReporter = createRateLimitReporter({
    post: (batch) => {
      batches.push(batch)
      const answer = Promise.withResolvers<void>()
      answers.push(answer)
      return answer.promise
    },
    log,
  })
  const warnings = () => lines.map(({ msg, dropped }) => ({ msg, dropped }))
  return { ...rateLimitReporter, batches, answers, warnings }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the log of rejected requests', () => {
  test('groups equal rejections into one row with a count, 10 s after the first', async () => {
    const { record, batches } = createReporterHarness()
    for (let i = 0; i < 3; i++) record({ limits: over('203.0.113.7'), ...open })
    record({ limits: over('203.0.113.7'), method: 'POST', route: '/open' })
    record({ limits: over('203.0.113.7', 'user'), ...open })
    await vi.advanceTimersByTimeAsync(9_999)
    expect(batches).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(batches).toEqual([
      {
        dropped: 0,
        refusals: [
          { class: 'address', key: '203.0.113.7', method: 'GET', route: '/open', count: 3 },
          { class: 'address', key: '203.0.113.7', method: 'POST', route: '/open', count: 1 },
          { class: 'user', key: '203.0.113.7', method: 'GET', route: '/open', count: 1 },
        ],
      },
    ])
  })

  test('posts nothing and runs no timer while nothing is rejected', async () => {
    const { record, batches, answers } = createReporterHarness()
    expect(vi.getTimerCount()).toBe(0)
    record({ limits: over('203.0.113.7'), ...open })
    await vi.advanceTimersByTimeAsync(10_000)
    answers[0]?.resolve()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(vi.getTimerCount()).toBe(0)
    expect(batches).toHaveLength(1)
  })

  // An attack from many addresses must not fill the memory, neither while it is gathered nor while
  // the origin hangs.
  test('keeps at most 1,000 entries beside those being sent, and reports how many it dropped', async () => {
    const { record, batches, answers, warnings } = createReporterHarness()
    const attack = () => {
      for (let i = 0; i < 1500; i++) record({ limits: over(`key-${i}`), ...open })
    }
    attack()
    await vi.advanceTimersByTimeAsync(10_000)
    attack()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(batches.map(({ refusals }) => refusals.length)).toEqual([1000])
    answers[0]?.resolve()
    await vi.advanceTimersByTimeAsync(10_000)
    answers[1]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(batches.map(({ dropped, refusals }) => [dropped, refusals.length])).toEqual([
      [500, 1000],
      [500, 1000],
    ])
    expect(warnings()).toEqual([
      { msg: 'refusals dropped', dropped: 500 },
      { msg: 'refusals dropped', dropped: 500 },
    ])
  })

  test('counts a known one beyond the thousand', async () => {
    const { record, batches } = createReporterHarness()
    for (let i = 0; i < 1000; i++) record({ limits: over(`key-${i}`), ...open })
    record({ limits: over('key-0'), ...open })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(batches[0]).toMatchObject({
      dropped: 0,
      refusals: [{ key: 'key-0', count: 2 }, ...Array(999).fill({})],
    })
  })

  test('has one post in progress, never two', async () => {
    const { record, flush, batches, answers } = createReporterHarness()
    record({ limits: over('a'), ...open })
    await vi.advanceTimersByTimeAsync(10_000)
    record({ limits: over('b'), ...open })
    void flush()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(batches).toHaveLength(1)
    answers[0]?.resolve()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(batches.map(({ refusals }) => refusals.map(({ key }) => key))).toEqual([['a'], ['b']])
  })

  test('drops a batch that could not be posted, logs that, and adds its number to the next', async () => {
    const { record, batches, answers, warnings } = createReporterHarness()
    for (let i = 0; i < 3; i++) record({ limits: over('a'), ...open })
    await vi.advanceTimersByTimeAsync(10_000)
    answers[0]?.reject(new Error('the origin answered 503'))
    await vi.advanceTimersByTimeAsync(60_000)
    expect(batches).toHaveLength(1)
    record({ limits: over('b'), ...open })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(batches[1]).toMatchObject({ dropped: 3, refusals: [{ key: 'b', count: 1 }] })
    expect(warnings()).toEqual([{ msg: 'refusals dropped: the report to the origin failed', dropped: 3 }])
  })

  test('posts the rest before it closes, after the post in progress', async () => {
    const { record, close, batches, answers } = createReporterHarness()
    record({ limits: over('a'), ...open })
    await vi.advanceTimersByTimeAsync(10_000)
    record({ limits: over('b'), ...open })
    const closed = close()
    answers[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    answers[1]?.resolve()
    await closed
    expect(batches.map(({ refusals }) => refusals.map(({ key }) => key))).toEqual([['a'], ['b']])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('429 rate_limited: the gateway notes', () => {
  beforeEach(() => {
    vi.useRealTimers()
  })

  /** A gateway that allows one request an address, and what it told the origin. */
  async function createReportingGateway() {
    const told: RateLimitReport[] = []
    const harness = await createGatewayHarness({
      environment: { LIMIT_ADDRESS_REQUESTS: '1' },
      policy: [
        { method: 'GET', path: '/things/{id}', upstream: 'reports', who: 'public', limits: ['address'] },
        { method: 'GET', path: '/closed', upstream: 'reports', who: 'user', limits: ['user'] },
      ],
      upstream: ({ target, body }) => {
        if (target !== '/internal/gateway/refusals') return Response.json({})
        told.push(JSON.parse(new TextDecoder().decode(body as Uint8Array)))
        return new Response(null, { status: 204 })
      },
    })
    return { ...harness, told }
  }

  test('the row, not the path, so that no id and no guess fills the log', async () => {
    const { call, close, told } = await createReportingGateway()
    for (let i = 0; i < 5; i++) await call(`/things/${i}?secret=${i}`)
    await close()
    expect(told).toEqual([
      {
        dropped: 0,
        refusals: [{ class: 'address', key: '203.0.113.7', method: 'GET', route: '/things/{id}', count: 4 }],
      },
    ])
  })

  test('reports bad tokens by address, and requests over the quota by user', async () => {
    const { call, close, told, issuer } = await createReportingGateway()
    const sub = crypto.randomUUID()
    const headers = bearer(await issuer.sign({ sub, quota: 1 }))
    for (let i = 0; i < 3; i++) await call('/closed', { headers })
    for (let i = 0; i < 3; i++) await call('/closed', { headers: bearer('none') })
    await close()
    expect(told[0]?.refusals).toEqual([
      { class: 'user', key: sub, method: 'GET', route: '/closed', count: 2 },
      { class: 'address', key: '203.0.113.7', method: 'GET', route: '/closed', count: 2 },
    ])
  })
})

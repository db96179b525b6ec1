import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { formatApiKey } from '../../shared/auth/api-key.ts'
import type { RateLimitReport } from '../../shared/contract.ts'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  createGatewayHarness,
  type GatewayHarnessOptions,
} from '../../test/support/gateway/gateway-harness.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import { createFallbackStore } from '../rate-limit/fallback-store.ts'
import { createMemoryStore } from '../rate-limit/memory-store.ts'

const start = Date.UTC(2026, 10, 28, 12)

interface ProductOptions extends GatewayHarnessOptions {
  /** YAML of the limits, and of what the row has after its upstream. */
  limits: string
  row?: string
}

/** A gateway whose policy file has these limits and one row, which names `search` by default. */
async function createProduct({ limits, row = 'who: user, limits: [search]', ...options }: ProductOptions) {
  const clock = createClock(start)
  const text = `limits: { ${limits} }\nroutes:\n  - { method: GET, path: /search, upstream: reports, ${row} }\n`
  const harness = await createGatewayHarness({
    now: clock.now,
    rateLimitStore: createMemoryStore({ shared: true, now: clock.now }),
    policy: [],
    policyFile: { name: 'policy.yaml', text },
    ...options,
  })
  const tokens = new Map<string, string>()
  async function ask(claims: Record<string, unknown> = {}, address = '203.0.113.7') {
    const sub = claims.sub ?? '01234567-89ab-4def-8123-456789abcdef'
    const key = JSON.stringify({ sub, ...claims, hour: Math.floor(clock.now() / 600_000) })
    const token = tokens.get(key) ?? (await harness.issuer.sign({ sub, ...claims }))
    tokens.set(key, token)
    return harness.call('/search', { headers: bearer(token), address })
  }
  /** `200`, or the status with the names of the violated limits. */
  async function outcome(claims?: Record<string, unknown>, address?: string) {
    const response = await ask(claims, address)
    if (![429, 503].includes(response.status)) return `${response.status}`
    const { code, 'violated-policies': violated } = await problem(response)
    return [response.status, ...((violated as string[] | undefined) ?? [code])].join(' ')
  }
  async function outcomes(count: number, claims?: Record<string, unknown>) {
    const found: string[] = []
    for (let i = 0; i < count; i++) found.push(await outcome(claims))
    return found
  }
  return { ...harness, clock, ask, outcome, outcomes }
}

const other = { sub: '11234567-89ab-4def-8123-456789abcdef' }

describe('several windows', () => {
  test('429 names the window; a request that one refuses consumes nothing of the others', async () => {
    const { ask, outcomes, clock } = await createProduct({
      limits: 'search: { key: user, windows: [2/s, 5/h, 100/month] }',
    })
    const first = await ask()
    expect(parseList(first.headers.get('ratelimit-policy'))).toEqual([
      { value: 'search/s', parameters: { q: 2, w: 1 } },
      { value: 'search/h', parameters: { q: 5, w: 3600 } },
      { value: 'search/month', parameters: { q: 100, w: 2_678_400 } },
    ])
    expect(parseList(first.headers.get('ratelimit')).map(({ parameters: { r } }) => r)).toEqual([1, 4, 99])
    expect(await outcomes(5)).toEqual(['200', ...Array(4).fill('429 search/s')])
    clock.advance(1)
    expect(await outcomes(3)).toEqual(['200', '200', '429 search/s'])
    clock.advance(1)
    expect(await outcomes(2)).toEqual(['200', '429 search/h'])
    clock.advance(3600)
    const last = await ask()
    expect(parseList(last.headers.get('ratelimit')).map(({ parameters: { r } }) => r)).toEqual([1, 4, 94])
  })
})

describe('a window of the calendar', () => {
  test('a month ends with its last second in UTC, whenever its first request came', async () => {
    const { ask, outcomes, clock } = await createProduct({
      limits: 'search: { key: user, windows: [2/month] }',
    })
    const endsAt = Date.UTC(2026, 11, 1)
    const { headers } = await ask()
    expect(parseList(headers.get('ratelimit'))[0]?.parameters.t).toBe((endsAt - start) / 1000)
    expect(await outcomes(2)).toEqual(['200', '429 search'])
    clock.advance((endsAt - start) / 1000 - 1)
    expect(await outcomes(1)).toEqual(['429 search'])
    clock.advance(1)
    expect(await outcomes(3)).toEqual(['200', '200', '429 search'])
  })

  test('a day, on a row that has a limit of the product as well', async () => {
    const { outcomes, clock } = await createProduct({
      limits: 'search: { key: user, windows: [1/day] }',
      row: 'who: user, limits: [user, search]',
    })
    expect(await outcomes(2)).toEqual(['200', '429 search'])
    clock.advance(12 * 3600)
    expect(await outcomes(2)).toEqual(['200', '429 search'])
  })
})

describe('a sliding window', () => {
  test('half of a used window counts after half of the next, and Retry-After says when one more may come', async () => {
    const { ask, outcomes, outcome, clock } = await createProduct({
      limits: 'search: { key: user, windows: [10/min], window: sliding }',
    })
    expect(await outcomes(10)).toEqual(Array(10).fill('200'))
    const refused = await ask()
    expect(refused.status).toBe(429)
    const wait = Number(refused.headers.get('retry-after'))
    expect(wait).toBe(66)
    clock.advance(wait - 1)
    expect(await outcome()).toBe('429 search')
    clock.advance(1)
    expect(await outcomes(2)).toEqual(['200', '429 search'])
    clock.advance(24)
    expect(await outcomes(5)).toEqual(['200', '200', '200', '200', '429 search'])
  })
})

describe('the key', () => {
  test('user: at every address, and another user has a count of his own', async () => {
    const { outcome } = await createProduct({ limits: 'search: { key: user, windows: [1/h] }' })
    expect(await outcome()).toBe('200')
    expect(await outcome({}, '203.0.113.8')).toBe('429 search')
    expect(await outcome(other)).toBe('200')
  })

  test('address: for users and for everybody', async () => {
    const { outcome, call } = await createProduct({
      limits: 'search: { key: address, windows: [1/h] }',
      row: 'who: public, limits: [search]',
    })
    expect(await outcome()).toBe('200')
    expect((await call('/search')).status).toBe(429)
    expect(await outcome({}, '203.0.113.8')).toBe('200')
  })

  test('claim: all users with one value count together', async () => {
    const { outcome } = await createProduct({ limits: 'search: { key: "claim:plan", windows: [1/h] }' })
    expect(await outcome({ plan: 'free' })).toBe('200')
    expect(await outcome({ ...other, plan: 'free' })).toBe('429 search')
    expect(await outcome({ ...other, plan: 'pro' })).toBe('200')
  })
})

test('the key api_key: each key has a count of its own, and an access token has none', async () => {
  const exchanged = new Map<string, object>()
  const { call, issuer, outcomes } = await createProduct({
    limits: 'search: { key: api_key, windows: [1/h] }',
    row: 'who: user, keys: true, limits: [user, search]',
    upstream: ({ target, body }) => {
      if (target !== '/internal/gateway/api-key-tokens') return Response.json({})
      const { key_hash: hash } = JSON.parse(new TextDecoder().decode(body as Uint8Array))
      return Response.json(exchanged.get(hash) ?? { kind: 'unknown' })
    },
  })
  const sub = crypto.randomUUID()
  async function createKey() {
    const key = formatApiKey(crypto.getRandomValues(new Uint8Array(32)))
    const keyId = crypto.randomUUID()
    exchanged.set(createHash('sha256').update(key).digest('base64url'), {
      kind: 'token',
      key_id: keyId,
      access_token: await issuer.sign({ sub, sid: keyId }),
      networks: [],
    })
    return async () => (await call('/search', { headers: bearer(key) })).status
  }
  const [ask, askOther] = [await createKey(), await createKey()]
  expect([await ask(), await ask(), await askOther()]).toEqual([200, 429, 200])
  expect(await outcomes(2, { sub })).toEqual(['200', '200'])
})

describe('the quota', () => {
  const limits = 'search: { key: user, windows: [1/h], plans: { pro: [3/h], max: [plan/h] } }'

  test('is that of the plan in the token', async () => {
    const { outcomes } = await createProduct({ limits })
    expect(await outcomes(2, { plan: 'free' })).toEqual(['200', '429 search'])
    expect(await outcomes(4, { ...other, plan: 'pro' })).toEqual(['200', '200', '200', '429 search'])
    const third = { sub: '21234567-89ab-4def-8123-456789abcdef', plan: 'max', quota: 2 }
    expect(await outcomes(3, third)).toEqual(['200', '200', '429 search'])
  })

  test('a user over it who changes to a larger plan is served at once, less what was used', async () => {
    const { outcomes } = await createProduct({ limits })
    expect(await outcomes(2, { plan: 'free' })).toEqual(['200', '429 search'])
    expect(await outcomes(3, { plan: 'pro' })).toEqual(['200', '200', '429 search'])
  })
})

describe('the cost', () => {
  test('of a row: a request whose cost is more than what is left consumes nothing', async () => {
    const { ask, outcomes } = await createProduct({
      limits: 'search: { key: user, windows: [10/h] }',
      row: 'who: user, limits: [{ name: search, cost: 4 }]',
    })
    expect(await outcomes(3)).toEqual(['200', '200', '429 search'])
    const { headers } = await ask()
    expect(parseList(headers.get('ratelimit'))[0]?.parameters.r).toBe(0)
  })

  test('of concurrent requests: each is granted its cost whole, or none of it', async () => {
    const { ask, clock } = await createProduct({
      limits: 'search: { key: user, windows: [10/h] }',
      row: 'who: user, limits: [{ name: search, cost: 3 }]',
    })
    const responses = await Promise.all(Array.from({ length: 7 }, () => ask()))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(3)
    clock.advance(3600)
    const { headers } = await ask()
    expect(parseList(headers.get('ratelimit'))[0]?.parameters.r).toBe(7)
  })

  test('from a header of the response: more than the row says is consumed, less is refunded', async () => {
    const costs = ['7', '0', 'many', undefined, '900']
    const { ask } = await createProduct({
      limits: 'search: { key: user, windows: [20/h], cost_header: X-Cost }',
      row: 'who: user, limits: [{ name: search, cost: 2 }]',
      upstream: () => {
        const cost = costs.shift()
        return new Response('{}', { headers: cost === undefined ? {} : { 'x-cost': cost } })
      },
    })
    const left: unknown[] = []
    for (let i = 0; i < 6; i++) left.push(parseList((await ask()).headers.get('ratelimit'))[0]?.parameters.r)
    // Before each response: 20-2, 13-2, 13-2, 11-2, 9-2, and nothing.
    expect(left).toEqual([18, 11, 11, 9, 7, 0])
    expect((await ask()).status).toBe(429)
  })
})

test('failures: a success refunds its tokens, and failures use the quota up', async () => {
  let status = 200
  const { outcomes } = await createProduct({
    limits: 'search: { key: user, windows: [2/h, 3/day], counts: failures }',
    upstream: () => new Response(null, { status }),
  })
  expect(await outcomes(5)).toEqual(Array(5).fill('200'))
  status = 403
  expect(await outcomes(3)).toEqual(['403', '403', '429 search/h'])
})

describe('without Redis', () => {
  const lose = async (rule: string) => {
    const clock = createClock()
    const { log } = await createGatewayHarness()
    return createProduct({
      limits: `search: { key: user, windows: [8/h], without_redis: ${rule} }`,
      rateLimitStore: createFallbackStore({
        shared: { consume: () => Promise.reject(new Error('redis is gone')) },
        local: createMemoryStore({ shared: false, now: clock.now }),
        replicas: 2,
        now: clock.now,
        log,
      }),
    })
  }
  const passed = (outcomes: string[]) => outcomes.filter((outcome) => outcome === '200').length

  test("share: this gateway's part of the quota", async () => {
    const { outcomes } = await lose('share')
    expect(passed(await outcomes(10))).toBe(4)
  })

  test('half_share: half of it', async () => {
    const { outcomes } = await lose('half_share')
    expect(passed(await outcomes(10))).toBe(2)
  })

  test('open: every request', async () => {
    const { outcomes } = await lose('open')
    expect(passed(await outcomes(20))).toBe(20)
  })

  test('closed: 503 overloaded for every request, with Retry-After', async () => {
    const { ask } = await lose('closed')
    const refused = await ask()
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await problem(refused)).code).toBe('overloaded')
  })
})

describe('report_only', () => {
  const limits =
    'search: { key: user, windows: [1/h], report_only: true }, other: { key: user, windows: [3/h] }'

  test('200: a request over it is served, counted and reported, and no header mentions it', async () => {
    const reports: RateLimitReport[] = []
    const { ask, outcomes, close, metrics } = await createProduct({
      limits,
      row: 'who: user, limits: [search, other]',
      upstream: ({ target, body }) => {
        if (target !== '/internal/gateway/refusals') return Response.json({})
        reports.push(JSON.parse(new TextDecoder().decode(body as Uint8Array)))
        return new Response(null, { status: 204 })
      },
    })
    const { headers } = await ask()
    expect(parseList(headers.get('ratelimit-policy'))).toEqual([
      { value: 'other', parameters: { q: 3, w: 3600 } },
    ])
    expect(await outcomes(3)).toEqual(['200', '200', '429 other'])
    expect(metrics.values.limits.get('search')?.shared).toEqual({ allowed: 1, refused: 0, reported: 3 })
    await close()
    expect(reports[0]?.refusals).toEqual([
      expect.objectContaining({ class: 'search', count: 2, report_only: true }),
      expect.not.objectContaining({ report_only: true }),
    ])
  })

  test('200: a row with no other limit has no RateLimit headers', async () => {
    const { ask } = await createProduct({ limits })
    for (let i = 0; i < 2; i++) {
      const response = await ask()
      expect(response.status).toBe(200)
      expect(response.headers.has('ratelimit')).toBe(false)
      expect(response.headers.has('ratelimit-policy')).toBe(false)
    }
  })
})

import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import type { GatewayConfig } from '../config.ts'
import { createBatchedBackend } from '../limit-backend.ts'
import type { Transport } from '../ports.ts'
import { createMemoryStore } from '../rate-limit/memory-store.ts'
import { type EmbeddedRow, gatehouse } from './gatehouse.ts'

type Bindings = { address: string }

const orders: EmbeddedRow = { method: 'GET', path: '/orders/{id}', who: 'user', limits: ['user'] }
const rows: readonly EmbeddedRow[] = [
  orders,
  { ...orders, path: '/analytics', permissions: { all: ['analytics.read'] } },
  { ...orders, path: '/premium', features: ['premium_dashboard'] },
  { method: 'POST', path: '/notes', who: 'public', limits: ['address'], body_bytes: 10 },
  { method: 'GET', path: '/prices', who: 'optional', keys: true, limits: ['address'] },
  { method: 'GET', path: '/broken', who: 'public', limits: ['address'] },
]

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { LIMIT_ADDRESS_REQUESTS: '50' } })
})
afterAll(() => fullStack.close())

/** Somebody's own app, whose users sign in at our origin. */
function createShop(policy: Parameters<typeof gatehouse>[0], config: Partial<GatewayConfig> = {}) {
  const transport: Transport = async ({ target, method, headers, body }) =>
    fullStack.originFetch(target, { method, headers, body: body as BodyInit | null })
  const gate = gatehouse<Bindings>(policy, {
    config: { ...fullStack.gatewayConfig, ...config },
    ports: {
      transport,
      createLimitBackend: createBatchedBackend({
        rateLimitStore: createMemoryStore({ shared: true, now: Date.now }),
        limiterHealth: async () => ({ status: 'pass' }),
      }),
      peerAddress: ({ address }) => address,
      revocationTickMs: 50,
      now: Date.now,
      log: { debug() {}, info() {}, warn() {}, error() {} },
    },
  })
  let handled = 0
  // The identity's type comes with the middleware: a header that a token does not have would not
  // compile.
  const app = new Hono<{ Bindings: Bindings }>()
    .get('/open', (c) => c.text('not behind the gate'))
    .use(gate)
    .get('/orders/:id', (c) => {
      handled++
      const email: string | undefined = c.var.caller?.email
      return c.json({ order: c.req.param('id'), email, plan: c.var.caller?.plan })
    })
    .get('/analytics', (c) => c.text('numbers'))
    .get('/premium', (c) => c.text('dashboard'))
    .get('/prices', (c) => c.text('1 EUR', 200, { 'cache-control': 'max-age=60', vary: 'Accept' }))
    .post('/notes', async (c) => c.json({ caller: c.var.caller, note: await c.req.text() }))
    .get('/unnamed', (c) => c.text('a handler, and no row'))
    .get('/broken', () => {
      throw new Error('a fault of theirs')
    })
    .onError((_, c) => c.text('their own page', 500))
  const call = async (path: string, init?: RequestInit, address = '203.0.113.9') =>
    app.fetch(new Request(`http://shop.test${path}`, init), { address })
  return { call, close: gate.close, handled: () => handled }
}

const code = async (answer: Response) =>
  answer.ok ? String(answer.status) : `${answer.status} ${(await problem(answer)).code}`

describe('as middleware in another Hono app', () => {
  const shops: { close: () => Promise<void> }[] = []
  afterAll(async () => {
    for (const shop of shops) await shop.close()
  })
  function open(policy: Parameters<typeof gatehouse>[0] = rows, config: Partial<GatewayConfig> = {}) {
    const shop = createShop(policy, config)
    shops.push(shop)
    return shop
  }

  test('200: the handler gets the caller from the token alone', async () => {
    const { email, tokens } = await fullStack.signUp('embedded@example.com')
    const answer = await open().call('/orders/7', { headers: bearer(tokens.access_token) })
    expect(await answer.json()).toEqual({ order: '7', email, plan: 'free' })
    expect(parseList(answer.headers.get('ratelimit'))[0]).toMatchObject({ value: 'user' })
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    expect(answer.headers.get('x-request-id')).toMatch(/.{8}/)
  })

  test('200: responses of a row for anybody and for keys say so to caches', async () => {
    const answer = await open().call('/prices')
    expect(answer.headers.get('vary')).toBe('Accept, Authorization, X-Api-Key')
    expect(answer.headers.get('cache-control')).toBe('max-age=60')
  })

  test('401 token_missing, 403 permission_required, 403 feature_required: before any handler', async () => {
    const shop = open()
    const { tokens } = await fullStack.signUp('lacking@example.com')
    const headers = bearer(tokens.access_token)
    expect(await code(await shop.call('/orders/7'))).toBe('401 token_missing')
    expect(await code(await shop.call('/analytics', { headers }))).toBe('403 permission_required')
    const refused = await problem(await shop.call('/premium', { headers }))
    expect(refused).toMatchObject({
      code: 'feature_required',
      current_plan: 'free',
      minimum_plan: expect.any(String),
    })
    expect(shop.handled()).toBe(0)
  })

  test('404 not_found: a handler that no row names; what was mounted before the gate is not behind it', async () => {
    const shop = open()
    expect(await code(await shop.call('/unnamed'))).toBe('404 not_found')
    expect(await code(await shop.call('/open'))).toBe('200')
  })

  test('429: clients that a trusted proxy names have a limit each, whatever else they write', async () => {
    const shop = open(rows, { TRUSTED_PROXY_CIDRS: ['10.0.0.0/8'], LIMIT_ADDRESS_REQUESTS: 1 })
    const statuses = []
    for (const [peer, from] of [
      ['10.0.0.1', '203.0.113.30:4711'],
      ['10.0.0.2', '6.6.6.6, 203.0.113.30'],
      ['10.0.0.1', '203.0.113.31'],
      ['203.0.113.32', '203.0.113.33'],
      ['203.0.113.32', '203.0.113.34'],
    ] as const)
      statuses.push(
        (await shop.call('/notes', { method: 'POST', headers: { 'x-forwarded-for': from } }, peer)).status,
      )
    expect(statuses).toEqual([200, 429, 200, 200, 429])
  })

  test('200: the handler decodes the path that the row matched; 400 bad_request where it would not', async () => {
    const { tokens } = await fullStack.signUp('encoded@example.com')
    const headers = bearer(tokens.access_token)
    const shop = open()
    for (const [path, order] of [
      ['/orders/%37', '7'],
      ['/%6Frders/100%25', '100%'],
      ['/orders/a;v=1', 'a;v=1'],
    ] as const)
      expect(await (await shop.call(path, { headers })).json()).toMatchObject({ order })
    for (const path of ['/orders/%252f', '/orders/a%2fb', '/orders/..;x'])
      expect(await code(await shop.call(path, { headers }))).toBe('400 bad_request')
  })

  test('413 body_too_large: by its length, and in chunks', async () => {
    const shop = open()
    const post = (body: BodyInit) =>
      shop.call('/notes', { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(await (await post('short')).json()).toEqual({ caller: null, note: 'short' })
    expect(await code(await post('0123456789a'))).toBe('413 body_too_large')
    const chunks = new ReadableStream({
      start(controller) {
        for (const piece of ['01234', '56789', 'a']) controller.enqueue(new TextEncoder().encode(piece))
        controller.close()
      },
    })
    expect(await code(await post(chunks))).toBe('413 body_too_large')
  })

  test('429 rate_limited: an address over its quota', async () => {
    const shop = open()
    const attempts = Array.from({ length: 51 }, () => shop.call('/broken', undefined, '203.0.113.77'))
    const outcomes = (await Promise.all(attempts)).map(({ status }) => status)
    expect(outcomes.filter((status) => status === 429)).toHaveLength(1)
    expect(outcomes.filter((status) => status === 500)).toHaveLength(50)
  })

  test('an error of a handler is for the app to respond', async () => {
    const answer = await open().call('/broken')
    expect(answer.status).toBe(500)
    expect(await answer.text()).toBe('their own page')
  })

  test('401 session_ended: after a logout, as behind the gateway', async () => {
    const shop = open()
    const { tokens } = await fullStack.signUp('leaver@example.com')
    const headers = bearer(tokens.access_token)
    expect(await code(await shop.call('/orders/7', { headers }))).toBe('200')
    await fullStack.post('/auth/logout', { refresh_token: tokens.refresh_token })
    const outcome = async () => code(await shop.call('/orders/7', { headers }))
    await expect.poll(outcome, { timeout: 5000 }).toBe('401 session_ended')
  })

  test('the policy file of a gateway decides the same, whatever upstreams it names', async () => {
    const text =
      'routes:\n  - { method: GET, path: "/orders/{id}", upstream: orders, who: user, limits: [user] }\n'
    const shop = open({ name: 'policy.yaml', text })
    expect(await code(await shop.call('/orders/7'))).toBe('401 token_missing')
    expect(await code(await shop.call('/notes'))).toBe('404 not_found')
  })
})

test('a policy that cannot be used is rejected at once', () => {
  expect(() => createShop([{ ...orders, permissions: { all: ['x'] }, who: 'public' }])).toThrow(
    'must be for users',
  )
  expect(() => createShop([orders, orders])).toThrow('is in the table twice')
  expect(() => createShop({ name: 'policy.yaml', text: 'routes: 7' })).toThrow('policy.yaml:1')
})

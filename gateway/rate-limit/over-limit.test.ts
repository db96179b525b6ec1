import { describe, expect, test } from 'vitest'
import { deviceCookie, overLimitHeader } from '../../shared/http/headers.ts'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, postRow } from '../../test/support/gateway/gateway-harness.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import { compilePolicy, type PolicyRow } from '../policy/policy.ts'
import { routes } from '../routes.ts'

const address = '203.0.113.7'

/**
 * The product's rows before an origin that answers when it is told to, and an address with one
 * failure of each kind left.
 */
async function createProduct() {
  let respond: () => Response | Promise<Response> = () => new Response(null, { status: 401 })
  const harness = await createGatewayHarness({
    policy: routes,
    environment: { LIMIT_FAILURES: '1', UPSTREAMS: '{"reports":"http://127.0.0.1:8082"}' },
    upstream: () => respond(),
  })
  const ask = (path: string, headers = {}, signal: AbortSignal | null = null) =>
    harness.call(path, {
      method: 'POST',
      signal,
      headers: { 'content-type': 'application/json', ...headers },
      body: '{}',
      address,
    })
  return {
    ...harness,
    ask,
    respondWith(next: typeof respond) {
      respond = next
    },
    /** The mark of the request that went upstream last. */
    mark: () => harness.last().headers.get(overLimitHeader),
  }
}

const device = { cookie: `theme=dark; ${deviceCookie}=some.signed.token` }

describe('an address over its failures', () => {
  test.each([
    ['/auth/refresh', 'refresh', {}],
    ['/auth/logout', 'refresh', {}],
    ['/oauth/token', 'clients', {}],
    ['/oauth/introspect', 'clients', {}],
    ['/oauth/revoke', 'clients', {}],
    ['/auth/login', 'credentials', device],
  ])(
    '200: POST %s is forwarded to the origin, with a header that names the limit %s',
    async (path, limit, headers) => {
      const { ask, mark, respondWith } = await createProduct()
      expect((await ask(path, headers)).status).toBe(401)
      expect(mark()).toBeNull()
      respondWith(() => new Response(null, { status: 200 }))
      const served = await ask(path, headers)
      expect(served.status).toBe(200)
      expect(mark()).toMatch(new RegExp(`^${limit};t=(900|899)$`))
      expect(parseList(served.headers.get('ratelimit'))).toMatchObject([
        { value: limit, parameters: { r: 0 } },
      ])
    },
  )

  test('429 credentials: POST /auth/login without a device cookie, at the gateway', async () => {
    const { ask, forwarded } = await createProduct()
    await ask('/auth/login')
    const before = forwarded.length
    const refused = await ask('/auth/login', { cookie: 'theme=dark; device=x' })
    expect(refused.status).toBe(429)
    expect((await problem(refused))['violated-policies']).toEqual(['credentials'])
    expect(forwarded).toHaveLength(before)
  })

  // A client that may write the mark would choose what the origin takes it for.
  test('an over-limit header of a client never reaches the origin, in any spelling', async () => {
    const { ask, mark } = await createProduct()
    await ask('/auth/refresh', { 'Gatehouse-Over-Limit': 'refresh;t=1', gatehouse_over_limit: 'refresh;t=1' })
    expect(mark()).toBeNull()
  })
})

// Else made-up refresh tokens would keep known devices and OAuth clients of the address waiting.
test('401: each limit of an address has its own queue, so a flood of refreshes delays no login', async () => {
  const { ask, respondWith, forwarded } = await createProduct()
  for (const path of ['/auth/refresh', '/auth/login', '/oauth/token']) await ask(path, device)
  respondWith(() => new Promise(() => {}))
  const before = forwarded.length
  const refreshes = Array.from({ length: 59 }, () => ask('/auth/refresh'))
  expect((await Promise.race(refreshes)).status).toBe(503)
  expect(forwarded.length - before).toBe(8)
  respondWith(() => new Response(null, { status: 401 }))
  expect((await ask('/auth/login', device)).status).toBe(401)
  expect((await ask('/oauth/token')).status).toBe(401)
})

test('503 overloaded: an address over its failures has 8 requests in progress and 50 that wait; others have their own', async () => {
  const { ask, call, respondWith, forwarded } = await createProduct()
  await ask('/auth/refresh')
  const held: (() => void)[] = []
  respondWith(() => new Promise((resolve) => held.push(() => resolve(new Response(null, { status: 200 })))))
  const before = forwarded.length
  const asked = Array.from({ length: 59 }, () => ask('/auth/refresh'))
  const shed = await Promise.race(asked)
  expect(shed.status).toBe(503)
  expect(shed.headers.get('retry-after')).toBe('1')
  expect((await problem(shed)).code).toBe('overloaded')
  expect(forwarded.length - before).toBe(8)
  const elsewhere = call('/auth/refresh', { method: 'POST', address: '203.0.113.8' })
  await expect.poll(() => forwarded.length - before).toBe(9)
  // Each that ends lets the next one go.
  for (let ended = 0; ended < 59; ended++) {
    await expect.poll(() => held.length).toBeGreaterThan(ended)
    held[ended]?.()
  }
  expect((await elsewhere).status).toBe(200)
  const statuses = (await Promise.all(asked)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(58)
})

// On runtimes of web standards the request's signal is all that tells of a client that leaves.
test('499 client_closed_request: a client that leaves gives up its place in the queue', async () => {
  const { ask, respondWith, forwarded } = await createProduct()
  await ask('/auth/refresh')
  const response = Promise.withResolvers<Response>()
  respondWith(async () => (await response.promise).clone())
  const before = forwarded.length
  const inProgress = Array.from({ length: 8 }, () => ask('/auth/refresh'))
  await expect.poll(() => forwarded.length - before).toBe(8)
  const client = new AbortController()
  const left = Array.from({ length: 50 }, () => ask('/auth/refresh', {}, client.signal))
  expect((await ask('/auth/refresh')).status).toBe(503)
  client.abort()
  for (const answer of await Promise.all(left)) expect(answer.status).toBe(499)
  const next = ask('/auth/refresh')
  response.resolve(new Response(null, { status: 200 }))
  for (const answer of await Promise.all([...inProgress, next])) expect(answer.status).toBe(200)
})

describe('a row that forwards requests over its limits', () => {
  const row: PolicyRow = { ...postRow, limits: ['refresh'], over_limit: 'forward' }

  test('is rejected with a body that is streamed: its client would hold a turn while it sends', () => {
    const large = { ...row, upstream: 'origin' as const, body_bytes: 64 * 1024 + 1 }
    expect(() => compilePolicy([large], ['origin'])).toThrow(
      /forwards requests over its limits.* 65536 bytes/,
    )
  })

  test('is rejected where it does not go to the origin, or has a limit that counts every request', () => {
    const upstreams = ['origin', 'reports']
    const reason = /forwards requests over its limits/
    expect(() => compilePolicy([row], upstreams)).toThrow(reason)
    expect(() =>
      compilePolicy([{ ...row, upstream: 'origin', limits: ['refresh', 'address'] }], upstreams),
    ).toThrow(reason)
    compilePolicy([{ ...row, upstream: 'origin' }], upstreams)
  })
})

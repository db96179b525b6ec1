import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClock } from '../test/support/clock.ts'
import { createFullStack, type FullStack } from '../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../test/support/gateway/gateway-harness.ts'
import { createHealth } from './health.ts'
import type { PolicyRow } from './policy/policy.ts'

interface Health {
  status: string
  checks: Record<string, { status: string; detail?: string }>
}

async function ask(harness: { call(path: string): Promise<Response> }, path: string) {
  const answer = await harness.call(path)
  expect(answer.headers.get('content-type')).toBe('application/health+json')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  return { status: answer.status, body: (await answer.json()) as Health }
}

const statusesOf = ({ body }: { body: Health }) =>
  Object.fromEntries(Object.entries(body.checks).map(([name, { status }]) => [name, status]))

describe('GET /live', () => {
  test('200: the process responds, whatever state its dependencies are in', async () => {
    const harness = await createGatewayHarness({
      isStopping: () => true,
      keys: () => {
        throw new Error('down')
      },
    })
    expect(await ask(harness, '/live')).toEqual({ status: 200, body: { status: 'pass', checks: {} } })
  })
})

describe.each(['/ready', '/health'])('GET %s', (path) => {
  test('200 pass: each dependency was checked', async () => {
    const answer = await ask(await createGatewayHarness(), path)
    expect(answer.status).toBe(200)
    expect(answer.body.status).toBe('pass')
    expect(statusesOf(answer)).toEqual({
      instance: 'pass',
      key_set: 'pass',
      origin: 'pass',
      limiter: 'pass',
      revocations: 'pass',
    })
  })

  test('503 fail: stopping, so that a load balancer sends nothing more', async () => {
    const answer = await ask(await createGatewayHarness({ isStopping: () => true }), path)
    expect(answer.status).toBe(503)
    expect(answer.body.checks.instance).toEqual({ status: 'fail' })
  })

  test('503 fail: no key set, so no token can be checked', async () => {
    const harness = await createGatewayHarness({
      keys: () => {
        throw new Error('down')
      },
    })
    const answer = await ask(harness, path)
    expect(answer.status).toBe(503)
    expect(statusesOf(answer)).toMatchObject({ key_set: 'fail', origin: 'pass' })
  })

  test('200 warn: limits count locally', async () => {
    const answer = await ask(
      await createGatewayHarness({ limiterHealth: async () => ({ status: 'warn' }) }),
      path,
    )
    expect(answer.status).toBe(200)
    expect(answer.body.status).toBe('warn')
  })

  test('is not counted, and needs no token', async () => {
    const harness = await createGatewayHarness({ environment: { LIMIT_ADDRESS_REQUESTS: '1' } })
    for (let i = 0; i < 5; i++) expect((await ask(harness, path)).status).toBe(200)
    expect((await harness.call('/open')).status).toBe(200)
  })
})

// Anybody may ask: a flood of questions must not become a flood of database queries.
test('a hundred at once, and those within a second, ask the origin once', async () => {
  const clock = createClock()
  let asked = 0
  const health = createHealth({
    keys: { isUsable: () => true, refresh: async () => {} },
    askOrigin: async () => {
      asked++
    },
    limiterHealth: async () => ({ status: 'pass' }),
    revocationHealth: () => ({ status: 'pass' }),
    isStopping: () => false,
    now: clock.now,
  })
  await Promise.all(Array.from({ length: 100 }, health))
  clock.advance(0.9)
  await health()
  expect(asked).toBe(1)
  clock.advance(0.1)
  await health()
  expect(asked).toBe(2)
})

test('no row of the policy table can take the place of a health response', async () => {
  const row: PolicyRow = {
    method: 'GET',
    path: '/ready',
    upstream: 'reports',
    who: 'public',
    limits: ['address'],
  }
  const harness = await createGatewayHarness({ policy: [row] })
  await ask(harness, '/ready')
  expect(harness.forwarded).toHaveLength(0)
})

describe('with a real origin', () => {
  const clock = createClock(Date.now())
  let fullStack: FullStack
  beforeAll(async () => {
    // A pool of one is shared by requests and health, so that its end is the end of the database.
    fullStack = await createFullStack({ now: clock.now, environment: { DATABASE_POOL_MAX: '1' } })
  })
  afterAll(() => fullStack.close())

  test('200 warn: the origin is gone, without a name or an address of it; pass when it is back', async () => {
    expect((await ask(fullStack, '/ready')).status).toBe(200)
    const { ORIGIN_URL } = fullStack.gatewayConfig
    const origin = fullStack.upstreams.get(ORIGIN_URL)
    fullStack.upstreams.delete(ORIGIN_URL)
    clock.advance(1)
    const answer = await ask(fullStack, '/ready')
    expect(answer).toMatchObject({ status: 200, body: { status: 'warn' } })
    expect(statusesOf(answer)).toMatchObject({ instance: 'pass', key_set: 'pass', origin: 'warn' })
    expect(JSON.stringify(answer.body)).not.toContain(ORIGIN_URL)
    if (origin) fullStack.upstreams.set(ORIGIN_URL, origin)
    clock.advance(1)
    expect(statusesOf(await ask(fullStack, '/ready'))).toMatchObject({ origin: 'pass' })
  })

  test('200 warn: the origin responds, but its database does not', async () => {
    await fullStack.sql.end()
    clock.advance(1)
    const answer = await ask(fullStack, '/ready')
    expect(answer.status).toBe(200)
    expect(statusesOf(answer)).toMatchObject({ origin: 'warn' })
  })
})

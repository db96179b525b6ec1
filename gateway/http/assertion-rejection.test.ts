import { afterEach, describe, expect, test } from 'vitest'
import { generateKey } from '../../shared/auth/jwk.ts'
import { bearer, createWorld, problem, type World } from '../../test/support/full-stack/full-stack.ts'
import { createStand, openRow, postRow } from '../../test/support/gateway/gateway-harness.ts'
import { isAssertionRejected } from './assertion-rejection.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

interface SkewedOptions {
  /** How far the gateway's clock is ahead of the origin's, at first. */
  seconds: number
  environment?: Record<string, string>
}

/** Gateway and origin whose clocks differ; `setSkew` sets the gateway's clock. */
async function createSkewedWorld({ seconds, environment = {} }: SkewedOptions) {
  let ahead = seconds
  const world = await createWorld({
    environment: { LIMIT_FAILURES: '5', ...environment },
    now: () => Date.now() + ahead * 1000,
  })
  closers.push(world.close)
  return Object.assign(world, {
    setSkew(value: number) {
      ahead = value
    },
  })
}

const email = 'ada@example.com'
const password = 'correct horse battery'
const login = (world: World) => world.post('/auth/login', { email, password })

const refusedBy = (world: World) => world.gatewayMetrics.values.assertionRejections.get('origin') ?? 0

describe('with the clocks of gateway and origin apart', () => {
  test.each([20, 29, -20])('200: login, refresh, plans with the gateway %i s ahead', async (seconds) => {
    const world = await createSkewedWorld({ seconds })
    const { tokens } = await world.signUp(email)
    const refreshed = await world.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
    expect((await world.call('/v1/plans')).status).toBe(200)
    await world.heard()
    expect((await world.call('/v1/me', { headers: bearer(tokens.access_token) })).status).toBe(200)
    expect(refusedBy(world)).toBe(0)
  })

  test('502 assertion_refused: login, refresh, plans with the gateway 5 min ahead, and no failed attempt', async () => {
    const world = await createSkewedWorld({ seconds: 0 })
    const { tokens } = await world.signUp(email)
    await world.heard()
    world.setSkew(300)
    const requests = [
      () => login(world),
      () => world.post('/auth/refresh', { refresh_token: tokens.refresh_token }),
      () => world.call('/v1/plans'),
      () => world.call('/v1/me', { headers: bearer(tokens.access_token) }),
    ]
    for (const request of requests) {
      for (let i = 0; i < 7; i++) {
        const response = await request()
        expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
        expect(response.headers.get('www-authenticate')).toBeNull()
        expect(await problem(response)).toMatchObject({ status: 502, code: 'assertion_refused' })
      }
    }
    const failed = world.logs.gateway.filter(({ code }) => code === 'assertion_refused')
    expect(failed).toHaveLength(28)
    expect(failed[0]).toMatchObject({ level: 'error', msg: 'request failed' })
    expect(JSON.stringify(failed[0])).toContain('origin refuses the gateway')
    expect(world.logs.origin.filter(({ msg }) => msg === 'assertion refused')[0]).toMatchObject({
      reason: 'issued in the future: compare the clocks',
    })
    expect(await world.sql`select from login_attempts where not succeeded`).toHaveLength(0)

    // Assertions of the wrong time are not used once the clock is right, nor does anything count as
    // a try.
    world.setSkew(0)
    expect((await login(world)).status).toBe(200)
    const refreshed = await world.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
  })

  test('502 assertion_refused: with the gateway 5 min behind', async () => {
    const world = await createSkewedWorld({ seconds: -310 })
    expect(await problem(await login(world))).toMatchObject({ status: 502, code: 'assertion_refused' })
  })
})

describe('an origin that does not know the assertion key of the gateway', () => {
  const foreignKey = async () => ({
    ASSERTION_PRIVATE_JWK: JSON.stringify((await generateKey()).privateJwk),
  })

  test('502 assertion_refused: and it is counted, for the alert', async () => {
    const world = await createSkewedWorld({ seconds: 0, environment: await foreignKey() })
    const before = refusedBy(world)
    for (let i = 0; i < 7; i++)
      expect(await problem(await login(world))).toMatchObject({ status: 502, code: 'assertion_refused' })
    expect(refusedBy(world)).toBe(before + 7)
  })

  test('plans, revocations and reports of the gateway itself are counted too', async () => {
    const world = await createSkewedWorld({ seconds: 0, environment: await foreignKey() })
    const before = refusedBy(world)
    expect(before).toBeGreaterThanOrEqual(2)
    await world.heard()
    expect(refusedBy(world)).toBe(before + 1)
  })
})

describe('any upstream that refuses the assertion', () => {
  const upstream = (challenge: string) => () =>
    Response.json({ code: 'untrusted_caller' }, { status: 401, headers: { 'www-authenticate': challenge } })

  test('502 assertion_refused: a 401 with the challenge of the assertion', async () => {
    const stand = await createStand({ upstream: upstream('Gatehouse-Assertion') })
    const response = await stand.call('/open')
    expect(await problem(response)).toMatchObject({ status: 502, code: 'assertion_refused' })
    expect(stand.metrics.values.assertionRejections.get('reports')).toBe(1)
  })

  test('401: any other challenge passes, and counts as a failed attempt', async () => {
    const row = { ...postRow, path: '/login', limits: ['credentials' as const] }
    const stand = await createStand({
      environment: { LIMIT_FAILURES: '5' },
      policy: [openRow, row],
      upstream: upstream('Basic realm="x"'),
    })
    for (let i = 0; i < 5; i++) expect((await stand.call('/login', { method: 'POST' })).status).toBe(401)
    expect((await stand.call('/login', { method: 'POST' })).status).toBe(429)
  })
})

test('isAssertionRefused: the scheme anywhere in a list of challenges, in any case, and on 401 alone', () => {
  const refused = (value: string, status = 401) => isAssertionRejected(status, ['WWW-Authenticate', value])
  for (const value of ['Gatehouse-Assertion', 'gatehouse-assertion error="x"', 'Bearer, Gatehouse-Assertion'])
    expect(refused(value), value).toBe(true)
  for (const value of ['Bearer', 'Gatehouse-AssertionX', 'Basic realm="Gatehouse-Assertion"', ''])
    expect(refused(value), value).toBe(false)
  expect(refused('Gatehouse-Assertion', 403)).toBe(false)
  expect(isAssertionRejected(401, ['x-note', 'Gatehouse-Assertion'])).toBe(false)
})

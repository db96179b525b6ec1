import { afterEach, describe, expect, test } from 'vitest'
import { generateKey } from '../../shared/auth/jwk.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow, postRow } from '../../test/support/gateway/gateway-harness.ts'
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
async function createSkewedFullStack({ seconds, environment = {} }: SkewedOptions) {
  let ahead = seconds
  const fullStack = await createFullStack({
    environment: { LIMIT_FAILURES: '5', ...environment },
    now: () => Date.now() + ahead * 1000,
  })
  closers.push(fullStack.close)
  return Object.assign(fullStack, {
    setSkew(value: number) {
      ahead = value
    },
  })
}

const email = 'ada@example.com'
const password = 'correct horse battery'
const login = (fullStack: FullStack) => fullStack.post('/auth/login', { email, password })

const refusedBy = (fullStack: FullStack) =>
  fullStack.gatewayMetrics.values.assertionRejections.get('origin') ?? 0

describe('with the clocks of gateway and origin apart', () => {
  test.each([20, 29, -20])('200: login, refresh, plans with the gateway %i s ahead', async (seconds) => {
    const fullStack = await createSkewedFullStack({ seconds })
    const { tokens } = await fullStack.signUp(email)
    const refreshed = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
    expect((await fullStack.call('/v1/plans')).status).toBe(200)
    await fullStack.syncRevocations()
    expect((await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })).status).toBe(200)
    expect(refusedBy(fullStack)).toBe(0)
  })

  test('502 assertion_refused: login, refresh, plans with the gateway 5 min ahead, and no failed attempt', async () => {
    const fullStack = await createSkewedFullStack({ seconds: 0 })
    const { tokens } = await fullStack.signUp(email)
    await fullStack.syncRevocations()
    fullStack.setSkew(300)
    const requests = [
      () => login(fullStack),
      () => fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token }),
      () => fullStack.call('/v1/plans'),
      () => fullStack.call('/v1/me', { headers: bearer(tokens.access_token) }),
    ]
    for (const request of requests) {
      for (let i = 0; i < 7; i++) {
        const response = await request()
        expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
        expect(response.headers.get('www-authenticate')).toBeNull()
        expect(await problem(response)).toMatchObject({ status: 502, code: 'assertion_refused' })
      }
    }
    const failed = fullStack.logs.gateway.filter(({ code }) => code === 'assertion_refused')
    expect(failed).toHaveLength(28)
    expect(failed[0]).toMatchObject({ level: 'error', msg: 'request failed' })
    expect(JSON.stringify(failed[0])).toContain('origin refuses the gateway')
    expect(fullStack.logs.origin.filter(({ msg }) => msg === 'assertion refused')[0]).toMatchObject({
      reason: 'issued in the future: compare the clocks',
    })
    expect(await fullStack.sql`select from login_attempts where not succeeded`).toHaveLength(0)

    // Assertions of the wrong time are not used once the clock is right, nor does anything count as
    // a try.
    fullStack.setSkew(0)
    expect((await login(fullStack)).status).toBe(200)
    const refreshed = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
  })

  test('502 assertion_refused: with the gateway 5 min behind', async () => {
    const fullStack = await createSkewedFullStack({ seconds: -310 })
    expect(await problem(await login(fullStack))).toMatchObject({ status: 502, code: 'assertion_refused' })
  })
})

describe('an origin that does not know the assertion key of the gateway', () => {
  const foreignKey = async () => ({
    ASSERTION_PRIVATE_JWK: JSON.stringify((await generateKey()).privateJwk),
  })

  test('502 assertion_refused: and it is counted, for the alert', async () => {
    const fullStack = await createSkewedFullStack({ seconds: 0, environment: await foreignKey() })
    const before = refusedBy(fullStack)
    for (let i = 0; i < 7; i++)
      expect(await problem(await login(fullStack))).toMatchObject({ status: 502, code: 'assertion_refused' })
    expect(refusedBy(fullStack)).toBe(before + 7)
  })

  test('plans, revocations and reports of the gateway itself are counted too', async () => {
    const fullStack = await createSkewedFullStack({ seconds: 0, environment: await foreignKey() })
    const before = refusedBy(fullStack)
    expect(before).toBeGreaterThanOrEqual(2)
    await fullStack.syncRevocations()
    expect(refusedBy(fullStack)).toBe(before + 1)
  })
})

describe('any upstream that rejects the assertion', () => {
  const upstream = (challenge: string) => () =>
    Response.json({ code: 'untrusted_caller' }, { status: 401, headers: { 'www-authenticate': challenge } })

  test('502 assertion_refused: a 401 with the challenge of the assertion', async () => {
    const harness = await createGatewayHarness({ upstream: upstream('Gatehouse-Assertion') })
    const response = await harness.call('/open')
    expect(await problem(response)).toMatchObject({ status: 502, code: 'assertion_refused' })
    expect(harness.metrics.values.assertionRejections.get('reports')).toBe(1)
  })

  test('401: any other challenge passes, and counts as a failed attempt', async () => {
    const row = { ...postRow, path: '/login', limits: ['credentials' as const] }
    const harness = await createGatewayHarness({
      environment: { LIMIT_FAILURES: '5' },
      policy: [openRow, row],
      upstream: upstream('Basic realm="x"'),
    })
    for (let i = 0; i < 5; i++) expect((await harness.call('/login', { method: 'POST' })).status).toBe(401)
    expect((await harness.call('/login', { method: 'POST' })).status).toBe(429)
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

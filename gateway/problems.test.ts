import { describe, expect, test } from 'vitest'
import { errors } from '../shared/http/errors.ts'
import { bearer } from '../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../test/support/gateway/gateway-harness.ts'
import { TransportError } from './ports.ts'

const failures: Record<string, () => Error> = {
  '/unreachable': () => new TransportError('unreachable', new Error('connect ECONNREFUSED 10.0.0.7:8082')),
  '/timeout': () => new TransportError('timeout', new Error('10.0.0.7')),
  '/fault': () => new TypeError('Cannot read properties of undefined (reading secret)'),
}

const harness = await createGatewayHarness({
  environment: { LIMIT_ADDRESS_REQUESTS: '20' },
  policy: [
    openRow,
    { ...openRow, path: '/closed', who: 'user', limits: ['user'], level: 90 },
    { ...openRow, method: 'POST', body_bytes: 1 },
    ...Object.keys(failures).map((path) => ({ ...openRow, path })),
  ],
  upstream({ target }) {
    const failure = failures[target]
    if (failure) throw failure()
    return new Response('x')
  },
})
const user = bearer(await harness.issuer.sign())

describe('every rejection is problem+json (RFC 9457): status equal to the HTTP status, a stable code, a request id', () => {
  test.each<[number, keyof typeof errors, string, RequestInit]>([
    [400, 'bad_request', '/a%2fb', {}],
    [401, 'token_missing', '/closed', {}],
    [401, 'invalid_token', '/closed', { headers: bearer('x.y.z') }],
    [403, 'level_required', '/closed', { headers: user }],
    [404, 'not_found', '/nowhere', {}],
    [405, 'method_not_allowed', '/closed', { method: 'PUT' }],
    [413, 'body_too_large', '/open', { method: 'POST', body: 'xx', headers: { 'content-length': '2' } }],
    [500, 'internal_error', '/fault', {}],
    [502, 'upstream_unreachable', '/unreachable', {}],
    [504, 'upstream_timeout', '/timeout', {}],
  ])('%i %s', async (status, code, path, init) => {
    const id = `test-${code}`
    const headers = { ...(init.headers as Record<string, string>), 'x-request-id': id }
    const answer = await harness.call(path, { ...init, headers })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('x-request-id')).toBe(id)
    const body = (await answer.json()) as Record<string, unknown>
    expect(body).toMatchObject({
      type: `urn:gatehouse:problem:${code}`,
      title: errors[code].title,
      status,
      code,
      request_id: id,
    })
    // Internal causes are for the log: no stack, no address, no message of an exception.
    expect(JSON.stringify(body)).not.toMatch(/ at |\.ts|10\.0\.0\.7|ECONN|undefined|secret/)
  })

  test('429 rate_limited', async () => {
    const address = '203.0.113.99'
    for (let i = 0; i < 20; i++) await harness.call('/open', { address })
    const answer = await harness.call('/open', { address })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({ status: 429, code: 'rate_limited' })
  })
})

test('502 and 504 have Retry-After', async () => {
  for (const path of ['/unreachable', '/timeout'])
    expect((await harness.call(path)).headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
})

test('an error of an upstream passes as the upstream wrote it', async () => {
  const lax = await createGatewayHarness({ upstream: () => Response.json({ oops: true }, { status: 503 }) })
  const answer = await lax.call('/open')
  expect(answer.status).toBe(503)
  expect(await answer.json()).toEqual({ oops: true })
})

import { describe, expect, test } from 'vitest'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'

const allowed = 'https://app.example.com'
const environment = { CORS_ORIGINS: `${allowed}, http://localhost:5173` }

const preflight = (origin: string) => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'authorization',
  },
})

// Each of these is what a pattern or a comparison of parts would let through.
const others = [
  'null',
  'https://app.example.com.evil.example',
  'https://evil-app.example.com',
  'https://sub.app.example.com',
  'https://example.com',
  'https://app.example.com:8443',
  'https://app.example.com:443',
  'http://app.example.com',
  'https://APP.example.com',
  'https://app.example.com/',
  'https://appxexample.com',
  'http://localhost:5174',
  'http://localhost',
  '',
]

describe('an allowed origin', () => {
  test('reads responses, errors too, with credentials; Vary says why', async () => {
    const harness = await createGatewayHarness({ environment })
    for (const [path, status] of [
      ['/open', 200],
      ['/closed', 401],
      ['/nowhere', 404],
    ] as const) {
      const answer = await harness.call(path, { headers: { origin: allowed } })
      expect(answer.status).toBe(status)
      expect(answer.headers.get('access-control-allow-origin')).toBe(allowed)
      expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
      expect(answer.headers.get('access-control-expose-headers')).toMatch(/RateLimit/)
      expect(answer.headers.get('vary')).toContain('Origin')
    }
  })

  test('204: a preflight, without a token, an upstream or a count', async () => {
    const harness = await createGatewayHarness({
      environment: { ...environment, LIMIT_ADDRESS_REQUESTS: '1' },
    })
    for (let i = 0; i < 3; i++) {
      const answer = await harness.call('/closed', preflight(allowed))
      expect(answer.status).toBe(204)
      expect(answer.headers.get('access-control-allow-origin')).toBe(allowed)
      expect(answer.headers.get('access-control-allow-methods')).toContain('PATCH')
      expect(answer.headers.get('access-control-allow-headers')).toContain('Authorization')
      expect(answer.headers.get('access-control-max-age')).toBe('600')
      expect(answer.headers.get('vary')).toContain('Origin')
    }
    expect(harness.forwarded).toHaveLength(0)
    expect((await harness.call('/open')).status).toBe(200)
  })
})

describe('headers that frontends and their libraries use', () => {
  async function allowedFor(requested: string) {
    const harness = await createGatewayHarness({ environment })
    const answer = await harness.call('/closed', {
      method: 'OPTIONS',
      headers: {
        origin: allowed,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': requested,
      },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('vary')).toBe('Origin, Access-Control-Request-Headers')
    return answer.headers.get('access-control-allow-headers')?.toLowerCase().split(',') ?? []
  }

  test.each([
    'traceparent,tracestate,baggage',
    'idempotency-key',
    'if-match,if-none-match,if-modified-since,if-unmodified-since,range',
    'prefer,last-event-id,x-requested-with',
    // Of a frontend's own.
    'x-csrf-token, X-Client-Version,sentry-trace',
  ])('204: a preflight allows %s', async (requested) => {
    expect(await allowedFor(requested)).toEqual(
      expect.arrayContaining(requested.split(',').map((name) => name.trim().toLowerCase())),
    )
  })

  test('a preflight allows no header that would not be forwarded, and no invalid name', async () => {
    const refused = [
      ...['gatehouse-assertion', 'x-forwarded-for', 'forwarded', 'x-http-method-override', 'x-original-url'],
      ...['a b', 'x:y', '', '*', 'x_forwarded_for'],
    ]
    const names = await allowedFor(`${refused.join(',')},x-own`)
    expect(names).toContain('x-own')
    for (const name of refused.filter((name) => name !== '*')) expect(names).not.toContain(name)
  })

  test('pages read what they need of a response, and what CORS_EXPOSED_HEADERS adds', async () => {
    const harness = await createGatewayHarness({
      environment: { ...environment, CORS_EXPOSED_HEADERS: 'X-Own, x-other' },
    })
    for (const path of ['/open', '/nowhere']) {
      const { headers } = await harness.call(path, { headers: { origin: allowed } })
      const exposed = headers.get('access-control-expose-headers')?.toLowerCase().split(',')
      expect(exposed).toEqual(
        expect.arrayContaining([
          ...['etag', 'location', 'retry-after', 'ratelimit', 'ratelimit-policy', 'link', 'x-request-id'],
          ...['content-disposition', 'content-range', 'www-authenticate', 'x-own', 'x-other'],
        ]),
      )
    }
  })

  test('CORS_MAX_AGE_SECONDS: how long a preflight is remembered', async () => {
    const harness = await createGatewayHarness({
      environment: { ...environment, CORS_MAX_AGE_SECONDS: '7200' },
    })
    const { headers } = await harness.call('/closed', preflight(allowed))
    expect(headers.get('access-control-max-age')).toBe('7200')
  })
})

describe('any other origin', () => {
  test.each(others)('gets no permission: %s', async (origin) => {
    const harness = await createGatewayHarness({ environment })
    for (const init of [{ headers: { origin } }, preflight(origin)]) {
      const { headers } = await harness.call('/open', init)
      expect(headers.get('access-control-allow-origin')).toBeNull()
      expect(headers.get('vary')).toContain('Origin')
    }
  })

  test('gets none where no origin is configured', async () => {
    const harness = await createGatewayHarness()
    const answer = await harness.call('/open', { headers: { origin: allowed } })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  })

  // Frameworks that echo the Origin are common; with our Allow-Credentials beside it, any page
  // could read any user's answers.
  test('gets none from an upstream that is more generous than we are', async () => {
    for (const generous of ['https://evil.example', '*']) {
      const harness = await createGatewayHarness({
        environment,
        upstream: () =>
          new Response('x', {
            headers: { 'access-control-allow-origin': generous, 'access-control-expose-headers': '*' },
          }),
      })
      const { headers } = await harness.call('/open', { headers: { origin: 'https://evil.example' } })
      expect(headers.get('access-control-allow-origin')).toBeNull()
      expect(headers.get('access-control-expose-headers')).toBeNull()
    }
  })
})

test('Vary of the upstream stays', async () => {
  const harness = await createGatewayHarness({
    environment,
    upstream: () => new Response('x', { headers: { vary: 'Accept-Encoding' } }),
  })
  const { headers } = await harness.call('/open', { headers: { origin: allowed } })
  expect(headers.get('vary')).toBe('Accept-Encoding, Origin')
})

import { afterAll, describe, expect, test } from 'vitest'
import { compilePolicy, type PolicyRow } from '../../gateway/policy/policy.ts'
import { bearer } from '../support/full-stack/full-stack.ts'
import { closedRow, createGatewayHarness, openRow } from '../support/gateway/gateway-harness.ts'
import { promisedHeaders } from '../support/gateway/promised-headers.ts'
import { ask, closeSockets, startGatewayWithUpstream } from '../support/gateway/sockets.ts'

const page = 'https://app.example.com'
const preview = 'https://pr-7.preview.example.com'

const row = (path: string, fields: Partial<PolicyRow>): PolicyRow => ({ ...openRow, path, ...fields })

const gateway = await startGatewayWithUpstream(
  (request, response) => {
    const isPage = request.url?.includes('page')
    response.writeHead(request.url?.endsWith('missing') ? 404 : 200, {
      'cache-control': 'max-age=5',
      ...(isPage && {
        'content-security-policy': "default-src 'self'",
        'cross-origin-resource-policy': 'cross-origin',
      }),
      vary: 'Accept-Encoding',
    })
    response.end('x')
  },
  {
    environment: {
      CORS_ORIGINS: `${page},https://*.preview.example.com`,
      CORS_EXPOSED_HEADERS: 'X-Everywhere',
      LIMIT_ADDRESS_REQUESTS: '1000000',
    },
    policy: [
      openRow,
      row('/image', { corp: 'cross-origin', cache_control: 'public, max-age=3600', csp: "img-src 'self'" }),
      row('/image/{path...}', { corp: 'cross-origin', cache_control: 'public, max-age=3600' }),
      row('/page', { corp: 'upstream', csp: 'upstream', cache_control: 'upstream' }),
      row('/plain', { corp: 'upstream', csp: 'upstream' }),
      {
        ...closedRow,
        path: '/mine',
        cache_control: 'private, max-age=60',
        corp: 'same-site',
        csp: 'upstream',
      },
      row('/partners', {
        cors: {
          origins: ['https://*.partner.example.net'],
          exposed_headers: ['X-Partner'],
          request_headers: ['X-Partner-Key'],
          max_age_seconds: 30,
        },
      }),
      row('/internal-page', { cors: { origins: [] } }),
      row('/more', { cors: { exposed_headers: ['X-More'] } }),
    ],
  },
)
afterAll(closeSockets)

type Ask = (path: string, init?: { method?: string; headers?: Record<string, string> }) => Promise<Answer>
interface Answer {
  status: number | undefined
  headers: Record<string, string | undefined>
}

/** Node's own server, and the app of every other runtime. */
const servers: [string, Ask][] = [
  [
    'on Node',
    async (path, { method, headers } = {}) => {
      const answer = await ask(gateway.port, { path, ...(method && { method }), ...(headers && { headers }) })
      return { status: answer.statusCode, headers: answer.headers as Record<string, string> }
    },
  ],
  [
    'on the other runtimes',
    async (path, init = {}) => {
      const answer = await gateway.call(path, init)
      return { status: answer.status, headers: Object.fromEntries(answer.headers) }
    },
  ],
]

describe.each(servers)('%s', (server, send) => {
  // The app sends through the stub transport, whose upstream has no headers of its own.
  const hasUpstream = server === 'on Node'

  test('a row without fields of its own has the common set', async () => {
    const { headers } = await send('/open')
    expect(headers).toMatchObject(promisedHeaders)
  })

  test('corp, csp and cache_control replace the values, and nothing else', async () => {
    const { headers } = await send('/image')
    expect(headers).toMatchObject({
      ...promisedHeaders,
      'cross-origin-resource-policy': 'cross-origin',
      'content-security-policy': "img-src 'self'",
      'cache-control': 'public, max-age=3600',
    })
  })

  test('a rejection has them, too, but is never cached', async () => {
    const { status, headers } = await send('/mine')
    expect(status).toBe(401)
    expect(headers).toMatchObject({
      ...promisedHeaders,
      'cross-origin-resource-policy': 'same-site',
      'cache-control': 'no-store',
    })
  })

  test('where the upstream sends none, the common value stays', async () => {
    expect((await send('/plain')).headers).toMatchObject(promisedHeaders)
  })

  test.runIf(hasUpstream)('upstream: the values are the upstream’s', async () => {
    expect((await send('/page')).headers).toMatchObject({
      'content-security-policy': "default-src 'self'",
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': 'max-age=5',
      'x-frame-options': 'DENY',
    })
  })

  test.runIf(hasUpstream)('cache_control is not for errors: those keep the upstream’s', async () => {
    const { status, headers } = await send('/image/missing')
    expect({ status, cache: headers['cache-control'] }).toEqual({ status: 404, cache: 'max-age=5' })
  })

  test('a response to a user has the cache_control of its row', async () => {
    const { headers } = await send('/mine', { headers: bearer(await gateway.issuer.sign()) })
    expect(headers['cache-control']).toBe('private, max-age=60')
  })

  test('a pattern of CORS_ORIGINS allows one label, and nothing that looks alike', async () => {
    for (const origin of [page, preview]) {
      const { headers } = await send('/open', { headers: { origin } })
      expect(headers['access-control-allow-origin']).toBe(origin)
      expect(headers['access-control-allow-credentials']).toBe('true')
      expect(headers['access-control-expose-headers']).toContain('X-Everywhere')
      expect(headers.vary).toContain('Origin')
    }
    for (const origin of [
      'https://a.b.preview.example.com',
      'https://preview.example.com',
      'http://a.preview.example.com',
      'https://a.preview.example.com:8443',
      'https://evil.example@a.preview.example.com',
      'https://a.preview.example.com.evil.example',
    ])
      expect((await send('/open', { headers: { origin } })).headers).not.toHaveProperty(
        'access-control-allow-origin',
      )
  })

  test('cors.origins of a row take the place of CORS_ORIGINS, for rejections too', async () => {
    const partner = 'https://a.partner.example.net'
    for (const init of [{}, { method: 'POST' }]) {
      const { headers } = await send('/partners', { ...init, headers: { origin: partner } })
      const isMatched = !('method' in init)
      expect(headers['access-control-allow-origin']).toBe(isMatched ? partner : undefined)
    }
    for (const [path, origin] of [
      ['/partners', page],
      ['/internal-page', page],
      ['/open', partner],
    ] as const)
      expect((await send(path, { headers: { origin } })).headers).not.toHaveProperty(
        'access-control-allow-origin',
      )
  })

  test('cors.exposed_headers adds to the defaults and to CORS_EXPOSED_HEADERS', async () => {
    const { headers } = await send('/more', { headers: { origin: page } })
    const exposed = headers['access-control-expose-headers']?.split(',')
    expect(exposed).toEqual(
      expect.arrayContaining([
        'ETag',
        'Location',
        'Content-Disposition',
        'Server-Timing',
        'X-Everywhere',
        'X-More',
      ]),
    )
  })

  const preflight = (origin: string, requested: string) => ({
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': requested,
    },
  })

  test('204: a preflight goes by the rules of its row', async () => {
    const partner = 'https://a.partner.example.net'
    const { status, headers } = await send('/partners', preflight(partner, 'x-partner-key,x-other,if-match'))
    expect(status).toBe(204)
    expect(headers['access-control-allow-origin']).toBe(partner)
    expect(headers['access-control-max-age']).toBe('30')
    const allowed = headers['access-control-allow-headers']?.toLowerCase().split(',')
    expect(allowed).toEqual(
      expect.arrayContaining([
        ...['x-partner-key', 'if-match', 'if-none-match', 'idempotency-key', 'traceparent', 'tracestate'],
        ...['baggage', 'last-event-id'],
      ]),
    )
    expect(allowed).not.toContain('x-other')
    expect((await send('/partners', preflight(page, 'x-other'))).headers).not.toHaveProperty(
      'access-control-allow-origin',
    )
    expect(
      (await send('/open', preflight(page, 'x-other'))).headers['access-control-allow-headers'],
    ).toContain('x-other')
  })
})

test('CORS_REQUEST_HEADERS: a preflight allows these beside the usual ones, and no others', async () => {
  const harness = await createGatewayHarness({
    environment: { CORS_ORIGINS: page, CORS_REQUEST_HEADERS: 'X-Own' },
  })
  const answer = await harness.call('/open', {
    method: 'OPTIONS',
    headers: {
      origin: page,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'x-own,x-other,if-match',
    },
  })
  const allowed = answer.headers.get('access-control-allow-headers')?.toLowerCase().split(',')
  expect(allowed).toEqual(expect.arrayContaining(['x-own', 'if-match']))
  expect(allowed).not.toContain('x-other')
})

describe('a row is rejected', () => {
  test.each([
    ['csp', { csp: 'a\r\nx: y' }],
    ['csp', { csp: '' }],
    ['cache_control', { cache_control: ' x' }],
    ['cache_control', { cache_control: 'é' }],
    ['corp', { corp: 'everyone' }],
    ['cors.origins.0', { cors: { origins: ['*'] } }],
    ['cors.origins.0', { cors: { origins: ['https://*.com'] } }],
    ['cors.exposed_headers.0', { cors: { exposed_headers: ['*'] } }],
    ['cors.methods', { cors: { methods: ['GET'] } }],
  ])('with a %s that cannot be used', (field, fields) => {
    expect(() => compilePolicy([{ ...openRow, ...fields } as PolicyRow], ['reports'])).toThrow(`${field}: `)
  })
})

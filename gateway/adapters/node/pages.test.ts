import { describe, expect, test } from 'vitest'
import { createGatewayHarness } from '../../../test/support/gateway/gateway-harness.ts'
import { createPages } from './pages.ts'

const development = {
  NODE_ENV: 'development',
  GATEWAY_PAGES: undefined,
  PRODUCT_NAME: 'Gatehouse',
  PASSWORD_MIN_LENGTH: 12,
} as const
const { byPath } = createPages(development, undefined)
const harness = await createGatewayHarness({ pages: byPath })

describe('pages', () => {
  test.each([
    ['/docs', 'text/html; charset=utf-8'],
    ['/admin', 'text/html; charset=utf-8'],
    ['/openapi.json', 'application/json'],
    ['/pages/session.js', 'text/javascript; charset=utf-8'],
    ['/pages/admin/admin.css', 'text/css; charset=utf-8'],
    ['/pages/icon.svg', 'image/svg+xml'],
    ['/pages/swagger-ui/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  ])('200 %s with the whole set of security headers, counted by no limit', async (path, contentType) => {
    const answer = await harness.call(path)
    expect(answer.status).toBe(200)
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': contentType,
      'cache-control': 'no-cache',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'origin-agent-cluster': '?1',
    })
    expect(answer.headers.has('ratelimit')).toBe(false)
  })

  test('each page relaxes the CSP only by what it needs: nothing inline, nothing of another origin', async () => {
    const policyOf = async (path: string) => (await harness.call(path)).headers.get('content-security-policy')
    const common =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
      "frame-ancestors 'none'; img-src 'self'"
    expect(await policyOf('/docs')).toBe(`${common} data:`)
    expect(await policyOf('/admin')).toBe(
      `${common}; require-trusted-types-for 'script'; trusted-types 'none'`,
    )
    expect(await policyOf('/pages/session.js')).toMatch(/^default-src 'none'; frame-ancestors 'none'/)
    for (const path of ['/docs', '/admin'])
      expect(await (await harness.call(path)).text()).not.toMatch(/<style|style=|<script>| on\w+=|https?:/)
  })

  test('304: for a matching If-None-Match, with the same headers', async () => {
    const first = await harness.call('/docs')
    const again = await harness.call('/docs', {
      headers: { 'if-none-match': first.headers.get('etag') ?? '' },
    })
    expect(again.status).toBe(304)
    expect(await again.text()).toBe('')
    expect(again.headers.get('content-security-policy')).toBe(first.headers.get('content-security-policy'))
    const other = await harness.call('/docs', { headers: { 'if-none-match': '"another"' } })
    expect(other.status).toBe(200)
  })

  test('405 method_not_allowed: a page has GET and HEAD alone; Allow lists them', async () => {
    for (const path of ['/docs', '/admin', '/openapi.json', '/pages/session.js']) {
      const answer = await harness.call(path, { method: 'POST' })
      expect(answer.status, path).toBe(405)
      expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
      const options = await harness.call(path, { method: 'OPTIONS' })
      expect(options.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    }
  })

  test('HEAD responds without a body', async () => {
    const answer = await harness.call('/docs', { method: 'HEAD' })
    expect(answer.status).toBe(200)
    expect(await answer.text()).toBe('')
  })

  test('404: nothing beside the files that a page loads', async () => {
    for (const path of [
      '/pages/',
      '/pages/tsconfig.json',
      '/pages/admin/admin.test.ts',
      '/pages/index.html',
      '/doc',
    ])
      expect((await harness.call(path)).status).toBe(404)
  })
})

describe('which pages there are', () => {
  const paths = (options: Parameters<typeof createPages>[0]) => [
    ...createPages(options, undefined).byPath.keys(),
  ]

  test('both in development, none in production unless named', () => {
    expect(paths(development)).toEqual(expect.arrayContaining(['/docs', '/openapi.json', '/admin']))
    expect(paths({ ...development, NODE_ENV: 'production' })).toEqual([])
  })

  test('only the named pages and their files; no page for `none`', () => {
    const admin = paths({ ...development, NODE_ENV: 'production', GATEWAY_PAGES: ['admin'] })
    expect(admin).toContain('/admin')
    expect(admin.filter((path) => /docs|openapi|swagger/.test(path))).toEqual([])
    expect(paths({ ...development, GATEWAY_PAGES: ['none'] })).toEqual([])
  })
})

test('the API description has the rows of the policy file, and of the one that takes its place', () => {
  const file = (path: string) => ({
    name: 'policy.yaml',
    text: `routes: [{ method: GET, path: ${path}, upstream: reports, who: public, limits: [address] }]`,
  })
  const pages = createPages(development, file('/v1/orders'))
  const described = () =>
    JSON.parse(new TextDecoder().decode(pages.byPath.get('/openapi.json')?.body as Uint8Array))
  expect(Object.keys(described().paths)).toEqual(expect.arrayContaining(['/v1/me', '/v1/orders']))
  pages.describe(file('/v1/invoices'))
  expect(described().paths).toHaveProperty(['/v1/invoices'])
  expect(described().paths).not.toHaveProperty(['/v1/orders'])
})

test('the API description has the shortest password that is configured', () => {
  const { byPath } = createPages({ ...development, PASSWORD_MIN_LENGTH: 16 }, undefined)
  const { paths } = JSON.parse(new TextDecoder().decode(byPath.get('/openapi.json')?.body as Uint8Array))
  const passwordOf = (path: string, name = 'password') =>
    paths[path].post.requestBody.content['application/json'].schema.properties[name]
  expect(passwordOf('/auth/register')).toMatchObject({ minLength: 16 })
  expect(passwordOf('/auth/password/reset')).toMatchObject({ minLength: 16 })
  expect(passwordOf('/auth/password', 'new_password')).toMatchObject({ minLength: 16 })
  expect(paths['/auth/register'].post.description).toContain('at least 16 characters')
})

test('pages and description name the product as it is configured, as text', async () => {
  const { byPath } = createPages({ ...development, PRODUCT_NAME: 'Ham & <b>Eggs</b>' }, undefined)
  const textOf = (path: string) => Buffer.from(byPath.get(path)?.body ?? '').toString()
  expect(textOf('/docs')).toContain('<title>Ham &amp; &lt;b&gt;Eggs&lt;/b&gt; API</title>')
  expect(textOf('/admin')).toContain('<title>Ham &amp; &lt;b&gt;Eggs&lt;/b&gt; administration</title>')
  for (const path of ['/docs', '/admin']) expect(textOf(path)).not.toMatch(/<b>|Gatehouse|\{\{/)
  expect(JSON.parse(textOf('/openapi.json')).info.title).toBe('Ham & <b>Eggs</b>')
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PolicyRow } from '../../gateway/policy/policy.ts'
import { routes } from '../../gateway/routes.ts'
import { urlTokenParameter } from '../../shared/contract.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { demoUrl } from '../support/demo-policy.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

const row: PolicyRow = {
  method: ['GET', 'PUT'],
  path: '/v1/files/{path...}',
  rewrite: '/files/{path...}',
  upstream: 'reports',
  who: 'user',
  permissions: { all: ['profile.read'] },
  limits: ['user'],
  signed_urls: true,
}

let fullStack: FullStack
let access: string
let refresh: string
let now = Date.now()
const reached: Request[] = []

beforeAll(async () => {
  fullStack = await createFullStack({
    environment: highLimits,
    now: () => now,
    policy: [
      ...routes,
      row,
      { ...row, path: '/v1/plain/{id}', rewrite: '/plain/{id}', signed_urls: false },
      {
        ...row,
        path: '/v1/open/{id}',
        rewrite: '/open/{id}',
        method: 'GET',
        permissions: undefined,
        who: 'optional',
        limits: ['address', 'user'],
      } as PolicyRow,
    ],
  })
  fullStack.upstreams.set(demoUrl, (request) => {
    reached.push(request)
    return new Response('file')
  })
  const { tokens } = await fullStack.signUp('ada@example.com')
  access = tokens.access_token
  refresh = tokens.refresh_token as string
})
afterAll(() => fullStack.close())

async function sign(path: string, more: object = {}) {
  const response = await fullStack.post('/v1/signed-urls', { path, ...more }, { headers: bearer(access) })
  const body = (await response.json()) as { url: string; expires_in: number }
  const { origin, pathname, search } = new URL(body.url)
  const target = pathname + search
  return {
    status: response.status,
    ...body,
    origin,
    target,
    token: target.slice(target.lastIndexOf('=') + 1),
  }
}

const callerOf = (request: Request | undefined) =>
  decodeJwt(request?.headers.get(assertionHeader) ?? '').user as { email: string } | null

describe('a signed URL', () => {
  test('200: opens its path for its user without a header; the upstream gets the assertion and no token', async () => {
    const { status, target, origin, token, expires_in } = await sign('/v1/files/a/b.pdf?page=2')
    expect({ status, origin, expires_in }).toEqual({
      status: 200,
      origin: fullStack.gatewayConfig.ISSUER_URL,
      expires_in: 60,
    })
    const response = await fullStack.call(target)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('private, no-store')
    expect(new URL(reached.at(-1)?.url ?? '').pathname).toBe('/files/a/b.pdf')
    expect(new URL(reached.at(-1)?.url ?? '').search).toBe('?page=2')
    expect(callerOf(reached.at(-1))).toMatchObject({ email: 'ada@example.com' })
    expect(JSON.stringify([...(reached.at(-1)?.headers ?? [])])).not.toContain(token)
  })

  test('200: on an optional row it names its user, too', async () => {
    const { target } = await sign('/v1/open/1')
    expect((await fullStack.call(target)).status).toBe(200)
    expect(callerOf(reached.at(-1))).toMatchObject({ email: 'ada@example.com' })
  })

  test('401 invalid_token: another path, query or method, and a changed or moved token', async () => {
    const { target, token } = await sign('/v1/files/a?x=1')
    const before = reached.length
    const suffix = `${urlTokenParameter}=${token}`
    for (const [method, tried] of [
      ['GET', `/v1/files/b?x=1&${suffix}`],
      ['GET', `/v1/files/a?x=2&${suffix}`],
      ['GET', `/v1/files/a?${suffix}`],
      ['GET', `/v1/files/a?x=1&y=2&${suffix}`],
      ['GET', `/v1/files/a/?x=1&${suffix}`],
      ['GET', `/v1/files/a?x=1&${suffix}&${suffix}`],
      ['GET', `${target.slice(0, -3)}AAA`],
      ['GET', `/v1/files/a?x=1&${urlTokenParameter}=`],
      ['HEAD', target],
      ['GET', `/v1/open/1?x=1&${suffix}`],
    ] as const) {
      const response = await fullStack.call(tried, { method })
      expect({ method, tried, status: response.status }).toEqual({ method, tried, status: 401 })
    }
    const put = await fullStack.call(target, { method: 'PUT', body: 'x' })
    expect((await problem(put)).code).toBe('token_missing')
    expect(reached).toHaveLength(before)
  })

  test('401 invalid_token: neither kind of token passes for the other, nor both together', async () => {
    const { target, token } = await sign('/v1/files/a')
    const asBearer = await fullStack.call('/v1/files/a', { headers: bearer(token) })
    const accessInUrl = await fullStack.call(`/v1/files/a?${urlTokenParameter}=${access}`)
    const both = await fullStack.call(target, { headers: bearer(access) })
    for (const response of [asBearer, accessInUrl, both]) {
      expect(response.status).toBe(401)
      expect((await problem(response)).code).toBe('invalid_token')
    }
  })

  test('401 token_missing: a row that does not allow signed URLs', async () => {
    const { target } = await sign('/v1/plain/1')
    const response = await fullStack.call(target)
    expect((await problem(response)).code).toBe('token_missing')
  })

  test('401 invalid_token: after its time, and before it is the same URL as often as it is asked', async () => {
    const { target } = await sign('/v1/files/a', { expires_in: 30 })
    for (let i = 0; i < 2; i++) expect((await fullStack.call(target)).status).toBe(200)
    now += 120_000
    const response = await fullStack.call(target)
    now -= 120_000
    expect((await problem(response)).code).toBe('invalid_token')
  })

  test('no database and no origin is asked when it is used', async () => {
    const { target } = await sign('/v1/files/a')
    const before = fullStack.forwarded.length
    await fullStack.call(target)
    expect(fullStack.forwarded.slice(before).map(({ url }) => new URL(url).pathname)).toEqual(['/files/a'])
  })

  test('no log of gateway or origin has its token', async () => {
    const { target, token } = await sign('/v1/files/a')
    await fullStack.call(target)
    await fullStack.call(`${target}x`)
    expect(JSON.stringify(fullStack.logs)).not.toContain(token)
  })

  test('422 validation_failed: a path that is none, one that is signed already, a long life', async () => {
    for (const body of [
      { path: 'https://evil.example/' },
      { path: '//evil.example/' },
      { path: '/a#b' },
      { path: `/a?${urlTokenParameter}=x` },
      { path: '/a', expires_in: 301 },
    ]) {
      const response = await fullStack.post('/v1/signed-urls', body, { headers: bearer(access) })
      expect({ body, status: response.status }).toEqual({ body, status: 422 })
    }
    expect((await fullStack.post('/v1/signed-urls', { path: '/v1/files/a' })).status).toBe(401)
  })

  test('401 session_ended: once its session has ended', async () => {
    const { target } = await sign('/v1/files/a')
    await fullStack.post('/auth/logout', { refresh_token: refresh })
    await fullStack.syncRevocations()
    const response = await fullStack.call(target)
    expect((await problem(response)).code).toBe('session_ended')
  })
})

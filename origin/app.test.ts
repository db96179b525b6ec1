import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ErrorCode, errors } from '../shared/http/errors.ts'
import { createFullStack, type FullStack } from '../test/support/full-stack/full-stack.ts'
import { callOrigin, postOrigin } from '../test/support/full-stack/origin-call.ts'
import { highLimits } from '../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.sql`
    create function refuse_deed() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`
  await fullStack.sql`
    create trigger refuse_deed before insert on user_subscriptions for each row execute function refuse_deed()`
})
afterAll(() => fullStack.close())

const text = (path: string, body: string, contentType = 'application/json') =>
  callOrigin(fullStack, path, { method: 'POST', headers: { 'content-type': contentType }, body })

const refusals: [ErrorCode, string, () => Response | Promise<Response>][] = [
  ['malformed_json', 'a body that is not JSON', () => text('/auth/login', '{')],
  ['untrusted_caller', 'no assertion', () => fullStack.originFetch('/v1/me')],
  ['token_missing', 'nobody signed in', () => callOrigin(fullStack, '/v1/me')],
  [
    'invalid_credentials',
    'an unknown account',
    () => postOrigin(fullStack, '/auth/login', { email: 'no@example.com', password }),
  ],
  [
    'refresh_invalid',
    'an unknown token',
    () => postOrigin(fullStack, '/auth/refresh', { refresh_token: 'x' }),
  ],
  ['not_found', 'a path nobody knows', () => callOrigin(fullStack, '/v1/nothing')],
  ['not_found', 'a method nobody knows', () => callOrigin(fullStack, '/v1/me', { method: 'DELETE' })],
  ['body_too_large', 'too long a body', () => text('/auth/login', ' '.repeat(65_537))],
  ['unsupported_media_type', 'a form', () => text('/auth/login', 'a=b', 'multipart/form-data; boundary=x')],
  ['validation_failed', 'a body of other fields', () => postOrigin(fullStack, '/auth/login', {})],
  [
    'internal_error',
    'a trigger that raises',
    () => postOrigin(fullStack, '/auth/register', { email: 'ada@example.com', password }),
  ],
]

/** Internals that would help an attacker: SQL, a stack, a path, a library, a table. */
const inside =
  /select |insert |update |constraint|relation|trigger|user_accounts|subscriptions|\n\s+at |\.ts\b|\.js\b|node_modules|\/work\/|\/home\/|postgres|hono|zod/i

describe('each rejection is problem+json (RFC 9457) without internals', () => {
  test.each(refusals)('%s: %s', async (code, _, request) => {
    const answer = await request()
    const body = await answer.text()
    expect(JSON.parse(body)).toMatchObject({
      type: `urn:gatehouse:problem:${code}`,
      title: errors[code].title,
      status: answer.status,
      code,
      request_id: answer.headers.get('x-request-id'),
    })
    expect(answer.status).toBe(errors[code].status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(body).not.toMatch(inside)
  })
})

// Regression: a caller that needs no assertion got the error of a missing one.
describe('405 method_not_allowed, with Allow', () => {
  test.each([
    ['POST', '/live', 'GET, HEAD'],
    ['DELETE', '/ready', 'GET, HEAD'],
    ['PUT', '/health', 'GET, HEAD'],
    ['POST', '/.well-known/jwks.json', 'GET, HEAD'],
    ['POST', '/.well-known/oauth-authorization-server', 'GET, HEAD'],
    ['GET', '/oauth/token', 'POST'],
    ['DELETE', '/oauth/introspect', 'POST'],
  ])('%s %s', async (method, path, allow) => {
    const answer = await fullStack.originFetch(path, { method })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe(allow)
    expect(await answer.json()).toMatchObject({ code: 'method_not_allowed' })
  })

  test('200: HEAD where GET is', async () => {
    for (const path of ['/live', '/ready', '/.well-known/jwks.json'])
      expect((await fullStack.originFetch(path, { method: 'HEAD' })).status).toBe(200)
  })
})

describe('a request id', () => {
  test('that came with the request is kept, in the header and in the body', async () => {
    const answer = await fullStack.originFetch('/v1/me', { headers: { 'x-request-id': 'given-id.0001' } })
    expect(answer.headers.get('x-request-id')).toBe('given-id.0001')
    expect(await answer.json()).toMatchObject({ request_id: 'given-id.0001' })
  })

  // A request id goes into logs and audit rows: one that is long or has other characters is not
  // ours to keep.
  test.each([
    ['is short', 'short'],
    ['has a space', 'with a space'],
    ['has other characters', '<script>alert(1)</script>'],
    ['is longer than 128', 'x'.repeat(129)],
  ])('that %s is replaced', async (_, given) => {
    const answer = await fullStack.originFetch('/live', { headers: { 'x-request-id': given } })
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { refreshCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const gatewayOrigin = 'https://id.example.com'
const frontendOrigin = 'https://app.example.com'

let fullStack: FullStack
let cookie: string
beforeAll(async () => {
  const environment = { ...highLimits, ISSUER_URL: gatewayOrigin, CORS_ORIGINS: frontendOrigin }
  fullStack = await createFullStack({ environment })
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate sessions cascade`
  cookie = setCookieOf(await login(), refreshCookie)?.value ?? ''
})

const login = () =>
  fullStack.post(
    '/auth/login',
    { email: 'ada@example.com', password, token_delivery: 'cookie' },
    { headers: { origin: frontendOrigin } },
  )

/** Posts as a page of that origin would, the cookie along. */
const postFrom = (origin: string | null, path: string, value = cookie, headers = {}) =>
  fullStack.post(
    path,
    {},
    {
      headers: {
        cookie: `theme=dark; ${refreshCookie}=${value}`,
        ...(origin !== null && { origin }),
        ...headers,
      },
    },
  )

const spent = async () => (await fullStack.sql`select from tokens where spent_at is not null`).length

describe('POST /auth/login with token_delivery cookie', () => {
  test('200: the refresh token is in a cookie that no script and no other site gets, and not in the body', async () => {
    const answer = await login()
    expect(answer.status).toBe(200)
    expect(setCookieOf(answer, refreshCookie)).toEqual({
      value: expect.stringMatching(/^[\w-]{54}$/),
      attributes: ['HttpOnly', 'Max-Age=604800', 'Path=/', 'SameSite=Strict', 'Secure'],
    })
    expect(refreshCookie).toMatch(/^__Host-/)
    expect(await answer.json()).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    })
  })

  test('200: body mode sets no such cookie', async () => {
    const answer = await fullStack.post('/auth/login', { email: 'ada@example.com', password })
    expect(setCookieOf(answer, refreshCookie)).toBeUndefined()
  })
})

describe('POST /auth/refresh by cookie', () => {
  test.each([
    ['the gateway itself', gatewayOrigin],
    ['an origin of CORS_ORIGINS', frontendOrigin],
  ])('200: a page of %s gets the next cookie, and no refresh token in the body', async (_, origin) => {
    const answer = await postFrom(origin, '/auth/refresh')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const next = setCookieOf(answer, refreshCookie)
    expect(next?.value).toMatch(/^[\w-]{54}$/)
    expect(next?.value).not.toBe(cookie)
    expect(next?.attributes).toEqual(['HttpOnly', 'Max-Age=604800', 'Path=/', 'SameSite=Strict', 'Secure'])
    expect(await answer.json()).not.toHaveProperty('refresh_token')
    expect((await postFrom(origin, '/auth/refresh', next?.value)).status).toBe(200)
  })

  // Another page has the browser send the cookie: it must neither get an access token nor spend the
  // refresh token.
  test.each([
    ['a foreign site', 'https://evil.example'],
    ['none', null],
    ['null, as of a sandboxed frame', 'null'],
    ['an allowed one with a suffix', `${frontendOrigin}.evil.example`],
    ['an allowed one with a prefix', 'https://evil-app.example.com'],
    ['a subdomain of an allowed one', 'https://x.app.example.com'],
    ['an allowed one on another port', `${frontendOrigin}:8443`],
    ['an allowed one without TLS', 'http://app.example.com'],
    ['an allowed one in other letter case', 'https://APP.example.com'],
    ['two', `${frontendOrigin}, https://evil.example`],
  ])('403 origin_not_allowed: the Origin is %s; the token is not spent', async (_, origin) => {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await postFrom(origin, path)
      expect(answer.status).toBe(403)
      expect((await problem(answer)).code).toBe('origin_not_allowed')
      expect(setCookieOf(answer, refreshCookie)).toBeUndefined()
    }
    expect(await spent()).toBe(0)
    expect((await postFrom(frontendOrigin, '/auth/refresh')).status).toBe(200)
  })

  /** As a page does that leaves out what has no field in it. */
  const postNothing = (path: string, headers: Record<string, string>) =>
    fullStack.call(path, { method: 'POST', headers: { cookie: `${refreshCookie}=${cookie}`, ...headers } })

  test('200 and 204: a page of an allowed origin may omit the body', async () => {
    expect((await postNothing('/auth/refresh', { origin: frontendOrigin })).status).toBe(200)
    expect((await postNothing('/auth/logout', { origin: frontendOrigin })).status).toBe(204)
  })

  // A browser sends this for any page without asking first.
  test.each([
    [403, 'origin_not_allowed', 'no body, from a foreign site', { origin: 'https://evil.example' }],
    [403, 'origin_not_allowed', 'no body, and no Origin', {}],
    [
      415,
      'unsupported_media_type',
      'no body that is said to be text',
      { origin: 'https://evil.example', 'content-type': 'text/plain' },
    ],
  ])('%i %s: %s; the token is not spent', async (status, code, _, headers) => {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await postNothing(path, headers as Record<string, string>)
      expect({ status: answer.status, code: (await problem(answer)).code }).toEqual({ status, code })
    }
    expect(await spent()).toBe(0)
  })

  // Content types that a form can send without a preflight.
  test.each([['text/plain'], ['application/x-www-form-urlencoded'], ['multipart/form-data; boundary=x']])(
    '415 unsupported_media_type: %s, also from an allowed origin; the token is not spent',
    async (mediaType) => {
      for (const path of ['/auth/refresh', '/auth/logout', '/auth/login']) {
        const answer = await postFrom(frontendOrigin, path, cookie, { 'content-type': mediaType })
        expect(answer.status).toBe(415)
        expect((await problem(answer)).code).toBe('unsupported_media_type')
      }
      expect(await spent()).toBe(0)
    },
  )

  test('401 refresh_invalid: a cookie with a token that was never issued', async () => {
    const answer = await postFrom(frontendOrigin, '/auth/refresh', 'A'.repeat(43))
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('refresh_invalid')
  })

  // A page that has just been opened asks whether there is a session: nobody is signed in, and
  // nothing is malformed.
  test('401 refresh_missing: neither a cookie nor a token in the body', async () => {
    for (const path of ['/auth/refresh', '/auth/logout']) {
      const answer = await fullStack.post(path, {}, { headers: { origin: frontendOrigin } })
      expect(answer.status).toBe(401)
      expect((await problem(answer)).code).toBe('refresh_missing')
    }
  })

  // Two tabs wake up together: the browser keeps whichever cookie comes last, and both are the
  // same.
  test('200: a replay inside the grace window sets the same cookie', async () => {
    const answers = await Promise.all([1, 2].map(() => postFrom(frontendOrigin, '/auth/refresh')))
    const [one, two] = answers.map((answer) => setCookieOf(answer, refreshCookie)?.value)
    expect(one).toMatch(/^[\w-]{54}$/)
    expect(two).toBe(one)
  })
})

describe('POST /auth/logout by cookie', () => {
  test('204: the session ends and the cookie is cleared', async () => {
    const answer = await postFrom(frontendOrigin, '/auth/logout')
    expect(answer.status).toBe(204)
    expect(setCookieOf(answer, refreshCookie)).toEqual({
      value: '',
      attributes: ['HttpOnly', 'Max-Age=0', 'Path=/', 'SameSite=Strict', 'Secure'],
    })
    expect(await fullStack.sql`select end_reason from sessions`).toEqual([{ end_reason: 'logout' }])
    expect((await postFrom(frontendOrigin, '/auth/refresh')).status).toBe(401)
  })
})

test('the cookie never gets to another upstream than the origin', async () => {
  await postFrom(frontendOrigin, '/auth/refresh')
  await fullStack.call('/v1/me', { headers: { cookie: `${refreshCookie}=${cookie}; theme=dark` } })
  const withCookie = fullStack.forwarded.filter(({ headers }) =>
    headers.get('cookie')?.includes(refreshCookie),
  )
  expect(new Set(withCookie.map(({ url }) => new URL(url).pathname.split('/')[1]))).toEqual(new Set(['auth']))
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceCookie, refreshCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'
const newPassword = 'another horse battery'
const gatewayOrigin = 'https://id.example.com'
const frontendOrigin = 'https://app.example.com'

let fullStack: FullStack
let accessToken: string
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, ISSUER_URL: gatewayOrigin, CORS_ORIGINS: frontendOrigin },
  })
  accessToken = (await fullStack.signUp(email, password)).tokens.access_token
})
beforeEach(() => fullStack.sql`truncate login_attempts, login_counters, audit_logs`)
afterAll(() => fullStack.close())

type Post = (headers: Record<string, string>) => Promise<Response>

const loginBody = { email, password }
const logIn: Post = (headers) => fullStack.post('/auth/login', loginBody, { headers })
const logInByCookie: Post = (headers) =>
  fullStack.post('/auth/login', { ...loginBody, token_delivery: 'cookie' }, { headers })
const changePassword: Post = (headers) =>
  fullStack.post(
    '/auth/password',
    { current_password: password, new_password: newPassword },
    { headers: { ...headers, ...bearer(accessToken) } },
  )

async function mailedReset(address: string): Promise<Post> {
  await fullStack.post('/auth/password/forgot', { email: address })
  const token = await fullStack.mailedToken(address)
  return (headers) => fullStack.post('/auth/password/reset', { token, password: newPassword }, { headers })
}

const foreign = [
  ['a foreign site', 'https://evil.example'],
  ['null, as of a sandboxed frame', 'null'],
  ['a subdomain of an allowed one', 'https://x.app.example.com'],
  ['an allowed one without TLS', 'http://app.example.com'],
] as const

async function expectRefused(answer: Response) {
  expect(answer.status).toBe(403)
  expect((await problem(answer)).code).toBe('origin_not_allowed')
  expect(answer.headers.getSetCookie()).toEqual([])
}

describe.each(foreign)('the Origin is %s', (_, origin) => {
  test('403 origin_not_allowed: a login by cookie, before the password is tried', async () => {
    await expectRefused(await logInByCookie({ origin }))
    expect(await fullStack.sql`select from login_attempts`).toHaveLength(0)
  })

  // A native shell or a browser extension has an Origin that no list names, and reads its tokens
  // from the body.
  test('200: a login in the body, without the device cookie', async () => {
    const answer = await logIn({ origin })
    expect(answer.status).toBe(200)
    expect(answer.headers.getSetCookie()).toEqual([])
  })

  test('204: a change and a reset of the password, without the device cookie', async () => {
    const address = `${crypto.randomUUID()}@example.com`
    const { tokens } = await fullStack.signUp(address, password)
    const change = { current_password: password, new_password: newPassword }
    const headers = { origin, ...bearer(tokens.access_token) }
    const changed = await fullStack.post('/auth/password', change, { headers })
    const reset = await (await mailedReset(address))({ origin })
    for (const answer of [changed, reset]) {
      expect(answer.status).toBe(204)
      expect(answer.headers.getSetCookie()).toEqual([])
    }
  })
})

describe('POST /auth/login', () => {
  // A refresh would be refused later: a cookie that cannot be used must not be set.
  test('403 origin_not_allowed: by cookie, with no Origin', async () => {
    await expectRefused(await logInByCookie({}))
  })

  test.each([gatewayOrigin, frontendOrigin])('200: from a page of %s, both cookies', async (origin) => {
    const answer = await logInByCookie({ origin })
    expect(answer.status).toBe(200)
    for (const name of [refreshCookie, deviceCookie]) expect(setCookieOf(answer, name)).toBeDefined()
  })

  test('200: an app or a server, which send no Origin, with the tokens in the body', async () => {
    expect((await logIn({})).status).toBe(200)
  })

  // As http://localhost:8080 is while ISSUER_URL says 127.0.0.1.
  test('200: a page of the host that the request is for, with the tokens in the body', async () => {
    expect((await logIn({ origin: 'http://gateway.test' })).status).toBe(200)
    await expectRefused(await logInByCookie({ origin: 'http://gateway.test' }))
  })
})

test('204: a page of CORS_ORIGINS changes and resets the password, with the device cookie', async () => {
  const changed = await changePassword({ origin: frontendOrigin })
  const reset = await (await mailedReset(email))({ origin: frontendOrigin })
  for (const answer of [changed, reset]) {
    expect(answer.status).toBe(204)
    expect(setCookieOf(answer, deviceCookie)).toBeDefined()
  }
})

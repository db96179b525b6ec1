import { Hono } from 'hono'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../shared/contract.ts'
import { type Problem, problemResponse } from '../shared/http/errors.ts'
import { clientAddressHeader } from '../shared/http/headers.ts'
import { bearer, problem } from '../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../test/support/full-stack/oauth-full-stack.ts'
import { signUpWithTotp, totpCodeOf } from '../test/support/full-stack/second-factor.ts'
import { type AddressLimits, authenticateSignInService } from './delegated-sign-in.ts'
import type { OriginEnv } from './http/request-context.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: OAuthFullStack
let service: Record<string, string>
let others = 0
beforeAll(async () => {
  fullStack = await createOAuthFullStack({
    LIMIT_FAILURES: '3',
    LIMIT_MAIL_REQUESTS: '2',
    LIMIT_CREDENTIALS_TRIES: '2',
    LOCKOUT_TRIES: '100',
  })
  await fullStack.signUp(email)
  service = bearer(await fullStack.serviceToken(await fullStack.client('pages', 'users.sign_in')))
})
beforeEach(() => fullStack.sql`truncate audit_logs, login_attempts`)
afterAll(() => fullStack.close())

/** An address of its own for each test. */
const newAddress = () => `198.51.100.${++others}`

const post = (path: string, body: object, headers: Record<string, string>) =>
  fullStack.originFetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

const from = (address: string) => ({ ...service, [clientAddressHeader]: address })

const login = (headers: Record<string, string>, attempt = password, address = email) =>
  post('/auth/login', { email: address, password: attempt }, headers)

/** The code of a login that a right password does not finish. */
async function mfaTokenFrom(headers: Record<string, string>): Promise<string> {
  const answer = await login(headers, password, 'factor@example.com')
  return String((await problem(answer)).mfa_token)
}

async function outcome(answer: Response) {
  if (answer.ok) return String(answer.status)
  const { code, 'violated-policies': violated } = await problem(answer)
  return [answer.status, code, violated].filter(Boolean).join(' ')
}

describe('a service that may sign users in, calling the origin itself', () => {
  test('403 mfa_required, then 200: a second factor, whose password counts as no failure', async () => {
    const { secret } = await signUpWithTotp(fullStack, 'factor@example.com')
    const headers = from(newAddress())
    for (let i = 0; i < 5; i++)
      expect(await outcome(await login(headers, password, 'factor@example.com'))).toBe('403 mfa_required')
    const body = { mfa_token: await mfaTokenFrom(headers), factor: 'totp', code: totpCodeOf(secret) }
    expect((await post('/auth/login/factor', body, headers)).status).toBe(200)
    for (let i = 0; i < 3; i++)
      expect(await outcome(await post('/auth/login/factor', body, headers))).toBe('401 mfa_token_invalid')
    expect(await outcome(await post('/auth/login/factor', body, headers))).toBe(
      '429 rate_limited credentials',
    )
  })

  test('200: login, refresh, logout; the address is in the session, the attempt and the audit row', async () => {
    const address = newAddress()
    const answer = await login(from(address))
    expect(answer.status).toBe(200)
    const { refresh_token } = (await answer.json()) as TokenResponse
    expect(
      await fullStack.sql`
        select distinct host(ip) as ip from (
          (select ip from sessions order by created_at desc limit 1)
          union all select ip from login_attempts union all select ip from audit_logs where action = 'login.succeeded'
        ) written`,
    ).toEqual([{ ip: address }])
    const refreshed = await post('/auth/refresh', { refresh_token }, from(address))
    expect(refreshed.status).toBe(200)
    const next = (await refreshed.json()) as TokenResponse
    expect((await post('/auth/logout', { refresh_token: next.refresh_token }, from(address))).status).toBe(
      204,
    )
  })

  test('200: an IPv6 address, in one form', async () => {
    expect((await login(from('2001:DB8:0::7'))).status).toBe(200)
    expect(await fullStack.sql`select host(ip) as ip from login_attempts`).toEqual([{ ip: '2001:db8::7' }])
    expect((await login(from('::ffff:198.51.100.200'))).status).toBe(200)
    expect(await fullStack.sql`select host(ip) as ip from login_attempts order by id desc limit 1`).toEqual([
      { ip: '198.51.100.200' },
    ])
  })

  test('429 login, credentials: failures are limited by the forwarded address, not by that of the service', async () => {
    const address = newAddress()
    for (let i = 0; i < 2; i++)
      expect(await outcome(await login(from(address), 'wrong'))).toBe('401 invalid_credentials')
    expect(await outcome(await login(from(address)))).toBe('429 rate_limited login')
    expect(await outcome(await login(from(newAddress())))).toBe('200')
    expect(await outcome(await login(from(address), 'wrong', 'nobody@example.com'))).toBe(
      '401 invalid_credentials',
    )
    expect(await outcome(await login(from(address), password, 'somebody@example.com'))).toBe(
      '429 rate_limited credentials',
    )
  })

  test('200: a genuine refresh token of an address over its failures; 429 refresh: a forged one', async () => {
    const address = newAddress()
    const { refresh_token } = (await (await login(from(address))).json()) as TokenResponse
    const refresh = (token: string) => post('/auth/refresh', { refresh_token: token }, from(address))
    for (let i = 0; i < 3; i++)
      expect(await outcome(await refresh('A'.repeat(54)))).toBe('401 refresh_invalid')
    expect(await outcome(await refresh('A'.repeat(54)))).toBe('429 rate_limited refresh')
    expect(await outcome(await refresh(refresh_token))).toBe('200')
  })

  test('429 mail, links: registrations, forgotten passwords and mailed links', async () => {
    const address = newAddress()
    const forgot = () => post('/auth/password/forgot', { email }, from(address))
    for (let i = 0; i < 2; i++) expect((await forgot()).status).toBe(202)
    expect(await outcome(await forgot())).toBe('429 rate_limited mail')
    const verify = () => post('/auth/email/verify', { token: 'x', password }, from(address))
    for (let i = 0; i < 3; i++) expect((await verify()).status).toBe(400)
    expect(await outcome(await verify())).toBe('429 rate_limited links')
  })

  test.each([
    '',
    'localhost',
    '198.51.100.1:443',
    '198.51.100.1, 198.51.100.2',
    'fe80::1%eth0',
    '198.51.100.300',
    "'",
  ])('400 bad_request: %j is no address', async (address) => {
    expect(await outcome(await login(from(address)))).toBe('400 bad_request')
    expect(await fullStack.sql`select from login_attempts`).toEqual([])
  })

  test('429 mail: of ten requests at once no more than the limit are served', async () => {
    const address = newAddress()
    const forgot = () => post('/auth/password/forgot', { email }, from(address))
    const statuses = (await Promise.all(Array.from({ length: 10 }, forgot))).map(({ status }) => status)
    expect(statuses.sort()).toEqual([...Array(2).fill(202), ...Array(8).fill(429)])
  })

  test.each(['/auth/sessions', '/auth/sessions/4f6d3c5e-0000-4000-8000-000000000000'])(
    '401 token_missing: it speaks for no user at %s',
    async (path) => {
      const method = path === '/auth/sessions' ? 'GET' : 'DELETE'
      const answer = await fullStack.originFetch(path, { method, headers: from(newAddress()) })
      expect(await outcome(answer)).toBe('401 token_missing')
    },
  )

  // A new route would have no limit until it is listed.
  test('404 not_found: a route in neither list', async () => {
    const app = new Hono<OriginEnv>()
    app.onError((error, c) => problemResponse(error as Problem, c.get('requestId')))
    app.use(
      authenticateSignInService({
        sql: fullStack.sql,
        verify: async () => ({ clientId: 'pages', scopes: ['users.sign_in'] }),
        limits: {} as AddressLimits,
        countServiceRequest: async () => ({ overLimit: undefined, headers: {} }),
        recordRejection: () => {},
      }),
    )
    app.all('*', (c) => c.text('reached'))
    const call = (path: string) => app.request(path, { method: 'POST', headers: from(newAddress()) })
    expect(await outcome(await call('/auth/new'))).toBe('404 not_found')
    expect(await outcome(await call('/auth/sessions/a/b'))).toBe('404 not_found')
    expect(await outcome(await call('/auth/sessions/a'))).toBe('200')
  })
})

describe('services that may not forward an address', () => {
  const attempt = async (headers: Record<string, string>) => outcome(await login(headers))
  const address = { [clientAddressHeader]: '198.51.100.1' }

  test('403 scope_required: a service without the scope, on record', async () => {
    const reader = await fullStack.serviceToken(await fullStack.client('reader', 'users.read'))
    const refused = await login({ ...address, ...bearer(reader) })
    expect(await problem(refused)).toMatchObject({ code: 'scope_required', required_scope: 'users.sign_in' })
    expect(
      await fullStack.sql`select action, details from audit_logs where action = 'client.denied'`,
    ).toEqual([
      {
        action: 'client.denied',
        details: { client_id: 'reader', reason: 'scope_missing', scope: 'users.sign_in' },
      },
    ])
  })

  test("401 token_missing, invalid_token: no token, and a user's token", async () => {
    const { access_token } = await fullStack.login(email, password)
    expect(await attempt(address)).toBe('401 token_missing')
    expect(await attempt({ ...address, ...bearer(access_token) })).toBe('401 invalid_token')
    expect(await attempt({ ...address, authorization: 'Basic eDp5' })).toBe('401 invalid_token')
  })

  test('a client of the gateway, whose header goes no further', async () => {
    const answer = await fullStack.post(
      '/auth/login',
      { email, password },
      { headers: from('198.51.100.1'), address: '203.0.113.9' },
    )
    expect(answer.status).toBe(200)
    expect(await fullStack.sql`select host(ip) as ip from login_attempts`).toEqual([{ ip: '203.0.113.9' }])
  })
})

test('401 untrusted_caller: a service with the scope that forwards no address', async () => {
  expect(await outcome(await login(service))).toBe('401 untrusted_caller')
})

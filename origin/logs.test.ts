import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../shared/contract.ts'
import { assertionHeader, deviceCookie, refreshCookie } from '../shared/http/headers.ts'
import { setCookieOf } from '../test/support/cookies.ts'
import { bearer, createFullStack, type FullStack } from '../test/support/full-stack/full-stack.ts'
import { assertionFrom } from '../test/support/full-stack/origin-call.ts'
import { highLimits } from '../test/support/high-limits.ts'

const password = 'a secret that is nowhere'
const wrongPassword = 'another secret that is nowhere'
const nextPassword = 'tundra vowel kiosk'
const lastPassword = 'zebra brunt tunes'

let fullStack: FullStack
let secrets: string[]
let passwordHash: string

/** Everything that carries a secret, done once: what is good, what is refused, and what breaks. */
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, LOG_LEVEL: 'debug' } })
  const { tokens } = await fullStack.signUp('ada@example.com', password)
  const [account] = await fullStack.sql<[{ password_hash: string }]>`select password_hash from user_accounts`
  passwordHash = account.password_hash
  const refreshed = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
  const next = (await refreshed.json()) as TokenResponse
  await fullStack.call('/v1/me', { headers: bearer(next.access_token) })
  await fullStack.call(`/v1/me?access_token=${next.access_token}`, {
    headers: bearer(`${next.access_token}x`),
  })

  await fullStack.post('/auth/login', { email: 'ada@example.com', password: wrongPassword })
  await fullStack.post('/auth/login', { email: 'ada@example.com', password, [password]: password })
  await fullStack.call('/auth/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"password":"${password}"`,
  })
  await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
  await fullStack.post('/auth/logout', { refresh_token: next.refresh_token })

  const mailedSecrets = [...(await useCookies()), ...(await useLinks())]

  const assertion = await assertionFrom(fullStack, null, { audience: 'reports' })
  await fullStack.originFetch('/v1/me', {
    headers: { [assertionHeader]: assertion, ...bearer(next.access_token) },
  })

  // Errors of the database say which row they stumbled on, password hash and all.
  await fullStack.sql`alter table user_accounts add constraint no_bob check (email not like 'bob%')`
  await fullStack.sql`alter table tokens add constraint no_tokens check (kind <> 'refresh') not valid`
  await fullStack.post(
    '/auth/register',
    { email: 'bob@example.com', password },
    { headers: { 'x-request-id': 'failing-0001' } },
  )
  await fullStack.post('/auth/login', { email: 'ada@example.com', password: lastPassword })

  secrets = [
    password,
    wrongPassword,
    nextPassword,
    lastPassword,
    ...mailedSecrets,
    tokens.access_token,
    tokens.refresh_token,
    next.access_token,
    next.refresh_token,
    assertion,
    ...fullStack.forwarded.map(({ headers }) => headers.get(assertionHeader) ?? ''),
    ...Object.values(fullStack.secrets),
    passwordHash,
  ].filter(Boolean)
})
afterAll(() => fullStack.close())

/** Signs in and refreshes as a browser does, well and badly, and changes the password. */
async function useCookies(): Promise<string[]> {
  const origin = fullStack.originConfig.ISSUER_URL
  const credentials = { email: 'ada@example.com', password, token_delivery: 'cookie' }
  const answer = await fullStack.post('/auth/login', credentials, { headers: { origin } })
  const { access_token } = (await answer.json()) as TokenResponse
  const [refresh = '', device = ''] = [refreshCookie, deviceCookie].map(
    (name) => setCookieOf(answer, name)?.value,
  )
  const cookie = `${refreshCookie}=${refresh}; ${deviceCookie}=${device}`
  await fullStack.post('/auth/refresh', {}, { headers: { cookie, origin: 'https://evil.example' } })
  await fullStack.post('/auth/login', { ...credentials, password: wrongPassword }, { headers: { cookie } })
  for (const current_password of [wrongPassword, password])
    await fullStack.post(
      '/auth/password',
      { current_password, new_password: nextPassword },
      { headers: bearer(access_token) },
    )
  const refreshed = await fullStack.post('/auth/refresh', {}, { headers: { cookie, origin } })
  expect(refreshed.status).toBe(200)
  return [access_token, refresh, device, setCookieOf(refreshed, refreshCookie)?.value ?? '']
}

/** Follows both kinds of mailed links, twice each. */
async function useLinks(): Promise<string[]> {
  const verification = await fullStack.mailedToken('ada@example.com')
  await fullStack.post('/auth/password/forgot', { email: 'ada@example.com' })
  const reset = await fullStack.mailedToken('ada@example.com')
  for (const newPassword of ['passwordpassword', lastPassword, lastPassword])
    await fullStack.post('/auth/password/reset', { token: reset, password: newPassword })
  for (const attempt of [wrongPassword, lastPassword, lastPassword])
    await fullStack.post('/auth/email/verify', { token: verification, password: attempt })
  expect((await fullStack.sql`select from user_accounts where email_verified_at is not null`).length).toBe(1)
  return [verification, reset]
}

/**
 * But for the mails themselves: without a mail server, in development alone, they are read in the
 * log.
 */
const lines = () =>
  Object.values(fullStack.logs)
    .flat()
    .filter(({ msg }) => msg !== 'mail')

describe('the logs', () => {
  test('hold no password, token, assertion, key or hash', () => {
    expect(secrets.length).toBeGreaterThan(20)
    const text = JSON.stringify(lines())
    for (const secret of secrets) expect(text).not.toContain(JSON.stringify(secret).slice(1, -1))
    // Any hash at all, as that of the failed registration is known to nobody; and any token at all.
    expect(text).not.toMatch(/\$2[aby]\$\d\d\$/)
    expect(text).not.toMatch(/eyJ[\w-]{20,}/)
  })

  test('have a line for each request, with the same request id on both sides of the proxy', () => {
    const ids = (service: 'gateway' | 'origin') =>
      fullStack.logs[service].filter(({ msg }) => msg === 'request').map(({ request_id }) => request_id)
    // The gateway's own calls have no request id of a client.
    const forwarded = fullStack.forwarded
      .map(({ headers }) => headers.get('x-request-id'))
      .filter((id) => id !== null)
    expect(forwarded.length).toBeGreaterThan(8)
    expect(ids('gateway')).toEqual(expect.arrayContaining(forwarded))
    expect(ids('origin')).toEqual(expect.arrayContaining(forwarded))
  })

  test('have method, path without its query, status and duration', () => {
    expect(fullStack.logs.gateway).toContainEqual(
      expect.objectContaining({
        method: 'GET',
        path: '/v1/me',
        status: 401,
        duration_ms: expect.any(Number),
      }),
    )
    expect(JSON.stringify(lines())).not.toContain('access_token=')
  })

  test('have the cause of a failure, with the request id', () => {
    expect(fullStack.logs.origin).toContainEqual(
      expect.objectContaining({
        level: 'error',
        request_id: 'failing-0001',
        code: 'internal_error',
        err: expect.objectContaining({ message: expect.stringContaining('no_bob') }),
      }),
    )
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  addTotp,
  resetTotpSteps,
  signUpWithTotp,
  totpCodeOf,
  wrongCodeOf,
} from '../../test/support/full-stack/second-factor.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const stepUp = (token: string, body: object) =>
  fullStack.post('/auth/step-up', body, { headers: bearer(token) })

const codeOf = async (response: Response) =>
  response.ok ? String(response.status) : `${response.status} ${(await problem(response)).code}`

const claimsOf = (token: string) => decodeJwt(token) as Record<string, unknown> & { auth_time: number }

const tokensOf = async (response: Response) => (await response.json()) as TokenResponse

async function refresh(token: string): Promise<TokenResponse> {
  const response = await fullStack.post('/auth/refresh', { refresh_token: token })
  expect(response.status).toBe(200)
  return tokensOf(response)
}

/** Moves the authentication of a session to an hour ago; its next token says so. */
async function anHourLater({ access_token, refresh_token }: TokenResponse): Promise<TokenResponse> {
  await fullStack.sql`
    update sessions set authenticated_at = authenticated_at - interval '1 hour'
    where id = ${String(decodeJwt(access_token).sid)}`
  return refresh(refresh_token)
}

const change = (token: string, method: string, path: string, body?: object) =>
  fullStack.call(path, {
    method,
    headers: { ...bearer(token), 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })

describe('POST /auth/step-up', () => {
  test('200: the password of an account without a factor renews auth_time, and a refresh keeps it', async () => {
    const { tokens } = await fullStack.signUp('renewed@example.com')
    const old = await anHourLater(tokens)
    const response = await stepUp(old.access_token, { factor: 'password', password })
    expect(response.status).toBe(200)
    const { access_token, ...rest } = await tokensOf(response)
    expect(rest).toEqual({ token_type: 'Bearer', expires_in: 900 })
    const raised = claimsOf(access_token)
    expect(raised.auth_time - claimsOf(old.access_token).auth_time).toBeGreaterThan(3590)
    expect(raised).toMatchObject({ amr: ['pwd'], acr: 'aal1', sid: claimsOf(old.access_token).sid })
    expect(claimsOf((await refresh(old.refresh_token)).access_token).auth_time).toBe(raised.auth_time)
  })

  test('200: a code raises acr and amr; the old token stays what it was', async () => {
    const { tokens } = await fullStack.signUp('raised@example.com')
    const { secret } = await addTotp(fullStack, tokens.access_token)
    await resetTotpSteps(fullStack, 'raised@example.com')
    const old = await anHourLater(tokens)
    const raised = await tokensOf(
      await stepUp(old.access_token, { factor: 'totp', code: totpCodeOf(secret) }),
    )
    expect(claimsOf(raised.access_token)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
    const remove = (token: string) => change(token, 'DELETE', '/auth/factors/totp')
    expect(await codeOf(await remove(old.access_token))).toBe('401 step_up_required')
    expect((await remove(raised.access_token)).status).toBe(204)
  })

  test('403 code_wrong: a code that raised another session', async () => {
    const account = await signUpWithTotp(fullStack, 'twice@example.com')
    const code = totpCodeOf(account.secret)
    expect((await stepUp(account.accessToken, { factor: 'totp', code })).status).toBe(200)
    expect(await codeOf(await stepUp(account.accessToken, { factor: 'totp', code }))).toBe('403 code_wrong')
  })

  test('403 mfa_required: the password of an account with a factor, which raises nothing', async () => {
    const { accessToken } = await signUpWithTotp(fullStack, 'factor@example.com')
    const response = await stepUp(accessToken, { factor: 'password', password })
    expect(await problem(response)).toMatchObject({
      code: 'mfa_required',
      status: 403,
      factors: ['totp', 'recovery_code'],
    })
  })

  test('403 password_wrong, code_wrong: five lock the session alone', async () => {
    const { tokens, email } = await fullStack.signUp('guessed@example.com')
    const guess = { factor: 'password', password: 'wrong horse battery' }
    for (let i = 0; i < 5; i++)
      expect(await codeOf(await stepUp(tokens.access_token, guess))).toBe('403 password_wrong')
    expect(await codeOf(await stepUp(tokens.access_token, { factor: 'password', password }))).toBe(
      '403 password_wrong',
    )
    const other = await fullStack.login(email, password)
    expect((await stepUp(other.access_token, { factor: 'password', password })).status).toBe(200)

    const { secret, accessToken } = await signUpWithTotp(fullStack, 'guessed-code@example.com')
    for (let i = 0; i < 5; i++)
      expect(await codeOf(await stepUp(accessToken, { factor: 'totp', code: wrongCodeOf(secret) }))).toBe(
        '403 code_wrong',
      )
    expect(await codeOf(await stepUp(accessToken, { factor: 'totp', code: totpCodeOf(secret) }))).toBe(
      '403 code_wrong',
    )
  })

  test('403 code_wrong: sessions that have presented no code share one count with unknown devices', async () => {
    const { tokens, email } = await fullStack.signUp('one-count@example.com')
    const others = [await fullStack.login(email, password), await fullStack.login(email, password)]
    const { secret, accessToken } = await addTotp(fullStack, tokens.access_token)
    await resetTotpSteps(fullStack, email)
    const [guessed = tokens, fresh = tokens] = await Promise.all(
      others.map(({ refresh_token }) => refresh(refresh_token)),
    )
    for (let i = 0; i < 5; i++)
      await stepUp(guessed.access_token, { factor: 'totp', code: wrongCodeOf(secret) })
    const right = { factor: 'totp', code: totpCodeOf(secret) }
    expect(await codeOf(await stepUp(fresh.access_token, right))).toBe('403 code_wrong')
    expect((await fullStack.mails(email)).at(-1)?.subject).toContain('Wrong codes')
    expect((await stepUp(accessToken, right)).status).toBe(200)
  })

  test('401 session_ended: a session that ended, before the gateway hears of it; the code is not spent', async () => {
    const { secret, accessToken } = await signUpWithTotp(fullStack, 'ended@example.com')
    const { sid, sub } = claimsOf(accessToken)
    await fullStack.sql`
      update sessions set ended_at = now(), end_reason = 'logout' where id = ${String(sid)}`
    const response = await stepUp(accessToken, { factor: 'totp', code: totpCodeOf(secret) })
    expect(await codeOf(response)).toBe('401 session_ended')
    const [{ last_step }] = await fullStack.sql<[{ last_step: string }]>`
      select last_step from totp_secrets where user_id = ${String(sub)}`
    expect(last_step).toBe('0')
  })
})

describe('a change of credentials', () => {
  test('401 step_up_required: an hour after the authentication, with max_age', async () => {
    const { tokens } = await fullStack.signUp('late@example.com')
    const old = await anHourLater(tokens)
    const response = await change(old.access_token, 'POST', '/auth/factors/totp')
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer error="insufficient_user_authentication", max_age="900"',
    )
    expect(await problem(response)).toMatchObject({ code: 'step_up_required', max_age: 900 })
  })

  test('401 step_up_required: aal1 of an account with a factor: its password, its factor, its codes', async () => {
    const { email } = await signUpWithTotp(fullStack, 'one-factor@example.com')
    const { tokens } = await fullStack.signUp('other@example.com')
    const [{ id }] = await fullStack.sql<
      [{ id: string }]
    >`select id from user_accounts where email = ${email}`
    await fullStack.sql`update sessions set user_id = ${id} where id = ${String(claimsOf(tokens.access_token).sid)}`
    await fullStack.sql`update tokens set user_id = ${id} where session_id = ${String(claimsOf(tokens.access_token).sid)}`
    const { access_token } = await refresh(tokens.refresh_token)
    expect(claimsOf(access_token)).toMatchObject({ sub: id, acr: 'aal1' })
    const passwords = { current_password: password, new_password: `${password} staple` }
    for (const [method, path, body] of [
      ['POST', '/auth/password', passwords],
      ['POST', '/auth/factors/totp', undefined],
      ['POST', '/auth/factors/totp/confirm', { code: '123456' }],
      ['POST', '/auth/factors/recovery-codes', undefined],
      ['DELETE', '/auth/factors/totp', undefined],
    ] as const)
      expect([path, await codeOf(await change(access_token, method, path, body))]).toEqual([
        path,
        '401 step_up_required',
      ])
  })

  test('204: the password of an account without a factor needs no other authentication', async () => {
    const { tokens } = await fullStack.signUp('password@example.com')
    const old = await anHourLater(tokens)
    const passwords = { current_password: password, new_password: `${password} staple` }
    expect((await change(old.access_token, 'POST', '/auth/password', passwords)).status).toBe(204)
  })
})

describe('another session that has presented the factor', () => {
  /** Two sessions of one account, both at aal2. */
  async function twoSessions(email: string) {
    const account = await signUpWithTotp(fullStack, email)
    const other = await fullStack.post('/auth/login', { email, password })
    const { mfa_token } = await problem(other)
    const code = totpCodeOf(account.secret)
    const finished = await fullStack.post('/auth/login/factor', { mfa_token, factor: 'totp', code })
    return { ...account, other: await tokensOf(finished) }
  }

  async function expectLowered(other: TokenResponse) {
    await fullStack.syncRevocations()
    expect(await codeOf(await fullStack.call('/v1/me', { headers: bearer(other.access_token) }))).toBe(
      '401 claims_stale',
    )
    expect(claimsOf((await refresh(other.refresh_token)).access_token).acr).toBe('aal1')
  }

  test('401 claims_stale, then aal1: after the app was removed', async () => {
    const { accessToken, other } = await twoSessions('removed@example.com')
    expect((await change(accessToken, 'DELETE', '/auth/factors/totp')).status).toBe(204)
    await expectLowered(other)
  })

  test('401 claims_stale, then aal1: after the app was replaced, and the session that did goes on', async () => {
    const { accessToken, other } = await twoSessions('replaced@example.com')
    const { accessToken: renewed } = await addTotp(fullStack, accessToken)
    await expectLowered(other)
    expect((await fullStack.call('/v1/me', { headers: bearer(renewed) })).status).toBe(200)
    expect(claimsOf(renewed).acr).toBe('aal2')
  })
})

describe('refresh, revocation and epochs through changes of the level', () => {
  const raises = {
    none: async () => {},
    'step-up': async (token: string, secret: string) => {
      const response = await stepUp(token, { factor: 'totp', code: totpCodeOf(secret) })
      expect(response.status).toBe(200)
    },
    'removal of the factor': async (token: string) => {
      expect((await change(token, 'DELETE', '/auth/factors/totp')).status).toBe(204)
    },
  }
  const ends = {
    logout: async ({ refresh_token }: TokenResponse) =>
      void (await fullStack.post('/auth/logout', { refresh_token })),
    'role change': async ({ access_token }: TokenResponse) => {
      await fullStack.sql`
        with raised as (
          update user_accounts set epoch = epoch + 1 where id = ${String(claimsOf(access_token).sub)}
          returning id, epoch
        )
        insert into revocations (scope, subject, epoch) select 'user', id, epoch from raised`
    },
    'reuse of a refresh token': async ({ refresh_token }: TokenResponse) => {
      const next = await refresh(refresh_token)
      await refresh(next.refresh_token)
      await fullStack.sql`update tokens set spent_at = spent_at - interval '1 hour' where spent_at is not null`
      expect(await codeOf(await fullStack.post('/auth/refresh', { refresh_token }))).toBe(
        '401 refresh_reused',
      )
    },
  }
  const cases = Object.keys(raises).flatMap((raise) => Object.keys(ends).map((end) => ({ raise, end })))

  test.each(cases)('tokens before and after $raise are refused after $end', async ({ raise, end }) => {
    const email = `${raise}-${end}@example.com`.replaceAll(' ', '-')
    const { tokens } = await fullStack.signUp(email)
    const { secret, accessToken } = await addTotp(fullStack, tokens.access_token)
    await resetTotpSteps(fullStack, email)
    await raises[raise as keyof typeof raises](accessToken, secret)
    const after = await refresh(tokens.refresh_token)
    for (const token of [tokens.access_token, accessToken, after.access_token])
      expect((await fullStack.call('/v1/me', { headers: bearer(token) })).status).toBe(200)
    await ends[end as keyof typeof ends](after)
    await fullStack.syncRevocations()
    const expected = end === 'role change' ? '401 claims_stale' : '401 session_ended'
    for (const token of [tokens.access_token, accessToken, after.access_token])
      expect(await codeOf(await fullStack.call('/v1/me', { headers: bearer(token) }))).toBe(expected)
  })
})

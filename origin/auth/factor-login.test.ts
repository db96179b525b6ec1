import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  resetTotpSteps,
  signUpWithTotp,
  totpCodeOf,
  wrongCodeOf,
} from '../../test/support/full-stack/second-factor.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { hashToken, newOpaqueToken } from '../opaque-token.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: FullStack
let secret: string
let recoveryCodes: string[]
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, MFA_DEVICE_SECONDS: '3600' } })
  const account = await signUpWithTotp(fullStack, email)
  secret = account.secret
  recoveryCodes = account.recoveryCodes
})
beforeEach(async () => {
  await fullStack.sql`truncate login_attempts, audit_logs, login_counters, login_challenges, sessions cascade`
  await resetTotpSteps(fullStack, email)
})
afterAll(() => fullStack.close())

const withCookie = (cookie?: string) => ({ headers: cookie === undefined ? {} : { cookie } })

const login = (cookie?: string) => fullStack.post('/auth/login', { email, password }, withCookie(cookie))

/** The `mfa_token` of a login whose password was right. */
async function mfaToken(cookie?: string): Promise<string> {
  const response = await login(cookie)
  expect(response.status).toBe(403)
  return String((await problem(response)).mfa_token)
}

/** Many logins of the account, each with an `mfa_token` of its own. */
async function challenges(count: number): Promise<string[]> {
  await mfaToken()
  const tokens = Array.from({ length: count }, () => newOpaqueToken())
  const hashes = tokens.map((token) => hashToken(token).toString('hex'))
  await fullStack.sql`
    insert into login_challenges (token_hash, user_id, password_version, expires_at)
    select decode(hash, 'hex'), user_id, password_version, expires_at
    from login_challenges, unnest(${hashes}::text[]) as given (hash)`
  return tokens
}

const finish = (token: string, body: Record<string, unknown>, cookie?: string) =>
  fullStack.post('/auth/login/factor', { mfa_token: token, factor: 'totp', ...body }, withCookie(cookie))

const codeOf = async (response: Response) =>
  response.ok ? String(response.status) : `${response.status} ${(await problem(response)).code}`

const claimsOf = async (response: Response) =>
  decodeJwt(((await response.json()) as TokenResponse).access_token)

const deviceOf = (response: Response) => `${deviceCookie}=${setCookieOf(response, deviceCookie)?.value}`

describe('a login of an account with a second factor', () => {
  test('403 mfa_required: the password is right, with the factors and five minutes for them', async () => {
    const response = await login()
    expect(response.status).toBe(403)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('gatehouse-attempt')).toBeNull()
    expect(response.headers.getSetCookie()).toEqual([])
    expect(await problem(response)).toMatchObject({
      code: 'mfa_required',
      mfa_token: expect.stringMatching(/^[\w-]{43}$/),
      factors: ['totp', 'recovery_code'],
      expires_in: 300,
    })
    expect(await fullStack.sql`select from sessions`).toHaveLength(0)
    expect(await fullStack.sql`select reason from login_attempts`).toEqual([{ reason: 'mfa_required' }])
    expect(await fullStack.sql`select action from audit_logs`).toEqual([{ action: 'login.factor_required' }])
  })

  test('401 invalid_credentials: a wrong password tells nothing of the factor', async () => {
    const response = await fullStack.post('/auth/login', { email, password: 'wrong horse battery' })
    expect(await codeOf(response)).toBe('401 invalid_credentials')
  })

  test('200: a code finishes it, at aal2', async () => {
    const response = await finish(await mfaToken(), { code: totpCodeOf(secret) })
    expect(response.status).toBe(200)
    expect(await claimsOf(response)).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
    expect(await fullStack.sql`select details from audit_logs where action = 'login.succeeded'`).toEqual([
      { details: { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' } },
    ])
    expect(await fullStack.sql`select reason from login_attempts order by id`).toEqual([
      { reason: 'mfa_required' },
      { reason: null },
    ])
  })

  test('200: a code of the step before or after, with spaces', async () => {
    for (const steps of [-1, 1]) {
      await resetTotpSteps(fullStack, email)
      const code = totpCodeOf(secret, steps).replace(/^.../, '$& ')
      expect((await finish(await mfaToken(), { code })).status).toBe(200)
    }
  })

  test('403 code_wrong: a code that was used, on another login', async () => {
    const code = totpCodeOf(secret)
    expect((await finish(await mfaToken(), { code })).status).toBe(200)
    expect(await codeOf(await finish(await mfaToken(), { code }))).toBe('403 code_wrong')
  })

  test('of a hundred logins with one code at once, one is finished', async () => {
    const code = totpCodeOf(secret)
    const tokens = await challenges(20)
    const statuses = await Promise.all(
      Array.from(
        { length: 100 },
        async (_, index) => (await finish(tokens[index % 20] ?? '', { code })).status,
      ),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(await fullStack.sql`select from sessions`).toHaveLength(1)
  })
})

describe('an mfa_token', () => {
  test('401 mfa_token_invalid: after use', async () => {
    const token = await mfaToken()
    expect((await finish(token, { code: totpCodeOf(secret) })).status).toBe(200)
    expect(await codeOf(await finish(token, { code: totpCodeOf(secret, 1) }))).toBe('401 mfa_token_invalid')
  })

  test('401 mfa_token_invalid: after five wrong codes, also with a right one', async () => {
    const token = await mfaToken()
    for (let i = 0; i < 5; i++)
      expect(await codeOf(await finish(token, { code: wrongCodeOf(secret) }))).toBe('403 code_wrong')
    expect(await codeOf(await finish(token, { code: totpCodeOf(secret) }))).toBe('401 mfa_token_invalid')
  })

  test('of a thousand codes at once five are evaluated at most', async () => {
    const token = await mfaToken()
    const codes = Array.from({ length: 1000 }, (_, index) => String(index).padStart(6, '0'))
    const right = [-1, 0, 1].map((steps) => totpCodeOf(secret, steps))
    const outcomes = await Promise.all(
      codes
        .filter((code) => !right.includes(code))
        .map(async (code) => codeOf(await finish(token, { code }))),
    )
    const counted = Map.groupBy(outcomes, (outcome) => outcome)
    expect(counted.get('403 code_wrong')?.length).toBeLessThanOrEqual(5)
    expect([...counted.keys()].sort()).toEqual(['401 mfa_token_invalid', '403 code_wrong'])
    expect(await fullStack.sql`select from sessions`).toHaveLength(0)
  })

  test('401 mfa_token_invalid: after a change of the password', async () => {
    const token = await mfaToken()
    await fullStack.sql`update user_accounts set password_changed_at = now() where email = ${email}`
    expect(await codeOf(await finish(token, { code: totpCodeOf(secret) }))).toBe('401 mfa_token_invalid')
  })

  test('401 mfa_token_invalid: five minutes later, of a disabled account, and one that never was', async () => {
    const late = await mfaToken()
    await fullStack.sql`update login_challenges set expires_at = now()`
    const disabled = await mfaToken()
    expect(await codeOf(await finish(late, { code: totpCodeOf(secret) }))).toBe('401 mfa_token_invalid')
    await fullStack.sql`update user_accounts set status = 'disabled' where email = ${email}`
    expect(await codeOf(await finish(disabled, { code: totpCodeOf(secret) }))).toBe('401 mfa_token_invalid')
    await fullStack.sql`update user_accounts set status = 'active' where email = ${email}`
    expect(await codeOf(await finish('x'.repeat(43), { code: totpCodeOf(secret) }))).toBe(
      '401 mfa_token_invalid',
    )
  })

  test('401: it opens nothing else', async () => {
    const token = await mfaToken()
    const { post } = fullStack
    expect((await fullStack.call('/v1/me', { headers: bearer(token) })).status).toBe(401)
    expect(await codeOf(await post('/auth/refresh', { refresh_token: token }))).toBe('401 refresh_invalid')
    expect(
      await codeOf(await post('/auth/password/reset', { token, password: 'another horse battery' })),
    ).toBe('400 link_invalid')
  })

  test('401 mfa_token_invalid: without the device cookie that came with the password', async () => {
    const finished = await finish(await mfaToken(), { code: totpCodeOf(secret) })
    const cookie = deviceOf(finished)
    const token = await mfaToken(cookie)
    const code = totpCodeOf(secret, 1)
    expect(await codeOf(await finish(token, { code }))).toBe('401 mfa_token_invalid')
    expect((await finish(token, { code }, cookie)).status).toBe(200)
  })
})

describe('attempts at codes', () => {
  const warnings = async () =>
    (await fullStack.mails(email)).filter(({ subject }) => subject.startsWith('Wrong codes')).length

  test('five wrong ones lock codes of unknown devices, and no password; the owner gets one mail', async () => {
    const before = await warnings()
    for (let login = 0; login < 2; login++) {
      const token = await mfaToken()
      for (let i = 0; i < 5; i++) await finish(token, { code: wrongCodeOf(secret) })
    }
    // A right password is still 403 mfa_required, and the right code is refused.
    expect(await codeOf(await finish(await mfaToken(), { code: totpCodeOf(secret) }))).toBe('403 code_wrong')
    expect((await warnings()) - before).toBe(1)
    expect(
      await fullStack.sql`select details ->> 'attempts_at' as at from audit_logs where action = 'account.locked'`,
    ).toEqual([{ at: 'code' }])
  })

  test('a known device has its own count: 200 while the codes of unknown devices are locked', async () => {
    const known = deviceOf(await finish(await mfaToken(), { code: totpCodeOf(secret) }))
    const token = await mfaToken()
    for (let i = 0; i < 5; i++) await finish(token, { code: wrongCodeOf(secret) })
    const response = await finish(await mfaToken(known), { code: totpCodeOf(secret, 1) }, known)
    expect(response.status).toBe(200)
  })

  test('devices that have presented no factor share one count, however many there are', async () => {
    const before = await warnings()
    await fullStack.sql`update totp_secrets set created_at = now() + interval '10 minutes'`
    const devices: string[] = []
    for (let i = 0; i < 3; i++)
      devices.push(deviceOf(await finish(await mfaToken(), { code: totpCodeOf(secret, i - 1) })))
    for (const device of devices.slice(1)) {
      const token = await mfaToken(device)
      for (let i = 0; i < 5; i++) await finish(token, { code: wrongCodeOf(secret) }, device)
    }
    await resetTotpSteps(fullStack, email)
    const [fresh] = devices
    expect(await codeOf(await finish(await mfaToken(fresh), { code: totpCodeOf(secret) }, fresh))).toBe(
      '403 code_wrong',
    )
    expect((await warnings()) - before).toBe(1)
    await fullStack.sql`update totp_secrets set created_at = now() - interval '1 hour'`
  })

  test('a lockout of a device that has presented the factor is mailed, too', async () => {
    const known = deviceOf(await finish(await mfaToken(), { code: totpCodeOf(secret) }))
    const before = await warnings()
    const token = await mfaToken(known)
    for (let i = 0; i < 5; i++) await finish(token, { code: wrongCodeOf(secret) }, known)
    expect((await warnings()) - before).toBe(1)
  })

  test('a hundred wrong ones in a row stop codes of the app on any device, and a recovery code ends that', async () => {
    const known = deviceOf(await finish(await mfaToken(), { code: totpCodeOf(secret) }))
    await fullStack.sql`truncate login_challenges`
    for (const token of await challenges(20)) {
      for (let i = 0; i < 5; i++)
        expect(await codeOf(await finish(token, { code: wrongCodeOf(secret) }))).toBe('403 code_wrong')
      // The lockout of the group is over; the count of the account goes on.
      await fullStack.sql`
        update login_counters set window_ends_at = now() where window_ends_at < now() + interval '1 day'`
    }
    await fullStack.sql`truncate login_attempts`
    expect((await fullStack.mails(email)).at(-1)?.subject).toContain(
      'Codes of your authenticator app are locked',
    )
    for (const device of [undefined, known]) {
      const token = await mfaToken(device)
      expect(await codeOf(await finish(token, { code: totpCodeOf(secret, 1) }, device))).toBe(
        '403 code_wrong',
      )
    }
    const code = recoveryCodes.at(-1)
    expect((await finish(await mfaToken(), { factor: 'recovery_code', code })).status).toBe(200)
    expect((await finish(await mfaToken(), { code: totpCodeOf(secret, 1) })).status).toBe(200)
    await fullStack.sql`update recovery_codes set used_at = null`
  })
})

describe('a recovery code', () => {
  test('200: finishes a login once, at aal2, and the owner gets a mail', async () => {
    const [first = '', second = ''] = recoveryCodes
    const used = { factor: 'recovery_code', code: first.toUpperCase() }
    const response = await finish(await mfaToken(), used)
    expect(await claimsOf(response)).toMatchObject({ acr: 'aal2' })
    expect(await codeOf(await finish(await mfaToken(), used))).toBe('403 code_wrong')
    expect((await fullStack.mails(email)).at(-1)?.text).toContain('Codes left: 9')
    expect((await finish(await mfaToken(), { factor: 'recovery_code', code: second })).status).toBe(200)
  })

  test('only its HMAC is stored', async () => {
    const rows = await fullStack.sql<{ hash: string }[]>`
      select encode(code_hash, 'hex') as hash from recovery_codes`
    expect(rows).toHaveLength(10)
    for (const { hash } of rows) expect(hash).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('a known device', () => {
  const remembered = async () =>
    deviceOf(await finish(await mfaToken(), { code: totpCodeOf(secret), remember_device: true }))

  test('200: skips the factor where its user chose so, and the session is aal1', async () => {
    const response = await login(await remembered())
    expect(response.status).toBe(200)
    expect(await claimsOf(response.clone())).toMatchObject({ amr: ['pwd'], acr: 'aal1' })
    expect((await login(deviceOf(response))).status).toBe(200)
  })

  test('403 mfa_required: its user did not choose so', async () => {
    const cookie = deviceOf(await finish(await mfaToken(), { code: totpCodeOf(secret) }))
    expect((await login(cookie)).status).toBe(403)
  })

  test('403 mfa_required: the factor was set up after it was remembered', async () => {
    const cookie = await remembered()
    await fullStack.sql`update totp_secrets set created_at = now() + interval '2 seconds'`
    expect((await login(cookie)).status).toBe(403)
    await fullStack.sql`update totp_secrets set created_at = now() - interval '1 hour'`
  })

  test('403 mfa_required: the password was changed since', async () => {
    const cookie = await remembered()
    await fullStack.sql`update user_accounts set password_changed_at = now() where email = ${email}`
    expect((await login(cookie)).status).toBe(403)
  })
})

describe('no other login skips the second factor', () => {
  test('403 mfa_required: after a reset by mail, which keeps the factor; also on the device that reset', async () => {
    await fullStack.post('/auth/password/forgot', { email })
    const token = await fullStack.mailedToken(email)
    const reset = await fullStack.post('/auth/password/reset', { token, password: `${password} staple` })
    expect(reset.status).toBe(204)
    const again = { email, password: `${password} staple` }
    const cookie = deviceOf(reset)
    for (const init of [{}, withCookie(cookie)])
      expect(await codeOf(await fullStack.post('/auth/login', again, init))).toBe('403 mfa_required')
    expect(await fullStack.sql`select from totp_secrets`).toHaveLength(1)
    await fullStack.sql`delete from login_counters`
    await fullStack.post('/auth/password/forgot', { email })
    const back = { token: await fullStack.mailedToken(email), password }
    await fullStack.post('/auth/password/reset', back)
  })

  test('403 code_wrong: a reset gives no new tries at codes', async () => {
    const guessed = await mfaToken()
    for (let i = 0; i < 5; i++) await finish(guessed, { code: wrongCodeOf(secret) })
    await fullStack.post('/auth/password/forgot', { email })
    const reset = await fullStack.post('/auth/password/reset', {
      token: await fullStack.mailedToken(email),
      password: `${password} staple`,
    })
    const cookie = deviceOf(reset)
    const again = { email, password: `${password} staple` }
    const { mfa_token: token } = await problem(await fullStack.post('/auth/login', again, withCookie(cookie)))
    expect(await codeOf(await finish(String(token), { code: totpCodeOf(secret) }, cookie))).toBe(
      '403 code_wrong',
    )
    await fullStack.post('/auth/password/forgot', { email })
    const back = { token: await fullStack.mailedToken(email), password }
    expect((await fullStack.post('/auth/password/reset', back)).status).toBe(204)
  })

  test.each(['password', 'authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'])(
    '400 unsupported_grant_type: %s',
    async (grant) => {
      const form = new URLSearchParams({
        grant_type: grant,
        client_id: 'frontend',
        username: email,
        password,
      })
      const response = await fullStack.call('/oauth/token', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
      })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: 'unsupported_grant_type' })
    },
  )
})

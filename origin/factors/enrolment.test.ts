import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  addTotp,
  signUpWithTotp,
  totpCodeOf,
  wrongCodeOf,
} from '../../test/support/full-stack/second-factor.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { createEncryption } from '../keys/encryption.ts'
import { encryptTotp } from './totp-encryption.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const read = async (token: string) =>
  (await fullStack.call('/auth/factors', { headers: bearer(token) })).json()

const post = (token: string, path: string, body: object = {}) =>
  fullStack.post(path, body, { headers: bearer(token) })

async function enrol(token: string) {
  const response = await fullStack.call('/auth/factors/totp', { method: 'POST', headers: bearer(token) })
  expect(response.status).toBe(200)
  return (await response.json()) as { secret: string; uri: string; qr_svg: string }
}

const codeOf = async (response: Response) =>
  response.ok ? String(response.status) : `${response.status} ${(await problem(response)).code}`

describe('an authenticator app', () => {
  test('200: begins with a secret that is no factor before a code confirms it', async () => {
    const { tokens, email } = await fullStack.signUp('begun@example.com')
    const { secret, uri, qr_svg } = await enrol(tokens.access_token)
    expect(uri).toMatch(/^otpauth:\/\/totp\/Gatehouse:begun%40example\.com\?/)
    expect(uri).toContain(`secret=${secret}`)
    expect(qr_svg).toMatch(/^<svg /)
    expect(await read(tokens.access_token)).toEqual({ totp: null, recovery_codes_left: 0 })
    expect((await fullStack.login(email, password)).access_token).toBeTruthy()
    const [row] = await fullStack.sql<[{ stored: string }]>`
      select encode(encrypted_secret, 'escape') as stored from totp_enrolments`
    expect(row.stored).not.toContain(secret)
  })

  test('200: is confirmed by its code, with ten recovery codes, which no other response shows', async () => {
    const { tokens } = await fullStack.signUp('confirmed@example.com')
    const { recoveryCodes, accessToken } = await addTotp(fullStack, tokens.access_token)
    expect(recoveryCodes).toHaveLength(10)
    for (const code of recoveryCodes) expect(code).toMatch(/^[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}$/)
    expect(await read(accessToken)).toEqual({
      totp: { created_at: expect.stringMatching(/Z$/) },
      recovery_codes_left: 10,
    })
  })

  test('403 mfa_required: the code that confirmed it does not sign in', async () => {
    const { tokens, email } = await fullStack.signUp('once@example.com')
    const { secret } = await addTotp(fullStack, tokens.access_token)
    const login = await fullStack.post('/auth/login', { email, password })
    const { mfa_token } = await problem(login)
    const body = { mfa_token, factor: 'totp', code: totpCodeOf(secret) }
    expect(await codeOf(await fullStack.post('/auth/login/factor', body))).toBe('403 code_wrong')
  })

  test('403 code_wrong: a wrong code, and the enrolment waits; five lock the session alone', async () => {
    const { tokens } = await fullStack.signUp('wrong@example.com')
    const { secret } = await enrol(tokens.access_token)
    const confirm = (code: string) => post(tokens.access_token, '/auth/factors/totp/confirm', { code })
    for (let i = 0; i < 4; i++)
      expect(await codeOf(await confirm(wrongCodeOf(secret)))).toBe('403 code_wrong')
    expect(await codeOf(await confirm(totpCodeOf(secret)))).toBe('200')
  })

  test('409 enrolment_missing: none, one that expired, and one that was confirmed', async () => {
    const { tokens } = await fullStack.signUp('missing@example.com')
    const confirm = (code: string) => post(tokens.access_token, '/auth/factors/totp/confirm', { code })
    expect(await codeOf(await confirm('123456'))).toBe('409 enrolment_missing')
    const { secret } = await enrol(tokens.access_token)
    await fullStack.sql`update totp_enrolments set expires_at = now()`
    expect(await codeOf(await confirm(totpCodeOf(secret)))).toBe('409 enrolment_missing')
  })

  test('422 validation_failed: a code that is not six digits counts as no attempt', async () => {
    const { tokens } = await fullStack.signUp('digits@example.com')
    for (const code of ['12345', '1234567', 'abcdef', '', '１２３４５６'])
      expect(await codeOf(await post(tokens.access_token, '/auth/factors/totp/confirm', { code }))).toBe(
        '422 validation_failed',
      )
  })

  test('each change is audited and mailed', async () => {
    const email = 'told@example.com'
    const { accessToken } = await signUpWithTotp(fullStack, email)
    const renewed = await post(accessToken, '/auth/factors/recovery-codes')
    expect(((await renewed.json()) as { recovery_codes: string[] }).recovery_codes).toHaveLength(10)
    const removed = await fullStack.call('/auth/factors/totp', {
      method: 'DELETE',
      headers: bearer(accessToken),
    })
    expect(removed.status).toBe(204)
    expect(await read(accessToken)).toEqual({ totp: null, recovery_codes_left: 0 })
    const [{ id }] = await fullStack.sql<
      [{ id: string }]
    >`select id from user_accounts where email = ${email}`
    expect(
      (
        await fullStack.sql`select action from audit_logs where user_id = ${id} and action like 'factor.%' order by id`
      ).map(({ action }) => action),
    ).toEqual(['factor.added', 'factor.recovery_codes_created', 'factor.removed'])
    const subjects = (await fullStack.mails(email)).map(({ subject }) => subject)
    expect(subjects.slice(-3)).toEqual([
      'An authenticator app protects your account at Gatehouse',
      'New recovery codes for your account at Gatehouse',
      'The authenticator app was removed from your account at Gatehouse',
    ])
  })

  test('404 not_found: none to remove, and no recovery codes without one', async () => {
    const { tokens } = await fullStack.signUp('none@example.com')
    const headers = bearer(tokens.access_token)
    const removed = await fullStack.call('/auth/factors/totp', { method: 'DELETE', headers })
    expect(await codeOf(removed)).toBe('404 not_found')
    expect(await codeOf(await post(tokens.access_token, '/auth/factors/recovery-codes'))).toBe(
      '404 not_found',
    )
  })

  // Importers store secrets with the same encryption, and without a code.
  test('403 mfa_required, then 200: a secret that was imported', async () => {
    const { email } = await fullStack.signUp('imported@example.com')
    const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'
    const [{ id }] = await fullStack.sql<
      [{ id: string }]
    >`select id from user_accounts where email = ${email}`
    const encryption = createEncryption(fullStack.originConfig.KEY_ENCRYPTION_KEY)
    await fullStack.sql`
      insert into totp_secrets (user_id, encrypted_secret)
      values (${id}, ${encryptTotp(encryption, 'totp_secrets', id, secret)})`
    const login = await fullStack.post('/auth/login', { email, password })
    const { mfa_token, factors } = await problem(login)
    expect(factors).toEqual(['totp'])
    const body = { mfa_token, factor: 'totp', code: totpCodeOf(secret) }
    expect(await codeOf(await fullStack.post('/auth/login/factor', body))).toBe('200')
  })
})

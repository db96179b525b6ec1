import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { attemptHeader, deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../support/cookies.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { addTotp, resetTotpSteps, totpCodeOf, wrongCodeOf } from '../support/full-stack/second-factor.ts'
import { highLimits } from '../support/high-limits.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: FullStack
let secret: string
/** Opened before the factor was added, and at aal1 since. */
let session: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, LIMIT_FAILURES: '5', LIMIT_CREDENTIALS_TRIES: '5' },
  })
  const { tokens } = await fullStack.signUp(email)
  const { refresh_token } = await fullStack.login(email, password)
  secret = (await addTotp(fullStack, tokens.access_token)).secret
  const refreshed = await fullStack.post('/auth/refresh', { refresh_token })
  session = (await refreshed.json()) as TokenResponse
})
beforeEach(() => resetTotpSteps(fullStack, email))
afterAll(() => fullStack.close())

const codeOf = async (response: Response) =>
  response.ok ? String(response.status) : `${response.status} ${(await problem(response)).code}`

const finish = (token: string, code: string, cookie?: string) =>
  fullStack.post(
    '/auth/login/factor',
    { mfa_token: token, factor: 'totp', code },
    { headers: cookie === undefined ? {} : { cookie } },
  )

async function mfaToken(): Promise<string> {
  return String((await problem(await fullStack.post('/auth/login', { email, password }))).mfa_token)
}

test('401 step_up_required, 403 mfa_required: they use up no tries of the step-up that they ask for', async () => {
  const headers = bearer(session.access_token)
  const change = { current_password: password, new_password: `${password} staple` }
  for (let i = 0; i < 6; i++) {
    const changed = await fullStack.post('/auth/password', change, { headers })
    expect(changed.headers.get(attemptHeader)).toBeNull()
    expect(await codeOf(changed)).toBe('401 step_up_required')
  }
  const byPassword = { factor: 'password', password }
  for (let i = 0; i < 6; i++)
    expect(await codeOf(await fullStack.post('/auth/step-up', byPassword, { headers }))).toBe(
      '403 mfa_required',
    )
  const right = { factor: 'totp', code: totpCodeOf(secret) }
  expect((await fullStack.post('/auth/step-up', right, { headers })).status).toBe(200)
})

test('429: of an address over its limit, a code needs a genuine device of the account, and costs no try', async () => {
  const known = await finish(await mfaToken(), totpCodeOf(secret))
  const cookie = `${deviceCookie}=${setCookieOf(known, deviceCookie)?.value}`
  const token = await mfaToken()
  for (let i = 0; i < 5; i++)
    expect(await codeOf(await finish('x'.repeat(43), '123456'))).toBe('401 mfa_token_invalid')
  const madeUp = `${deviceCookie}=made-up`
  for (let i = 0; i < 6; i++)
    expect(await codeOf(await finish(token, wrongCodeOf(secret), madeUp))).toBe('429 rate_limited')
  expect((await finish(token, totpCodeOf(secret, 1), cookie)).status).toBe(200)
})

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { attemptHeader } from '../../shared/http/headers.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { addTotp, forgetCodes, totpCodeOf } from '../support/full-stack/second-factor.ts'
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
beforeEach(() => forgetCodes(fullStack, email))
afterAll(() => fullStack.close())

const codeOf = async (response: Response) =>
  response.ok ? String(response.status) : `${response.status} ${(await problem(response)).code}`

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

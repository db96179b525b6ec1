import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { closedRow, createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { compilePolicy } from './policy.ts'

const nowSeconds = 1_800_000_000
const harness = await createGatewayHarness({
  now: () => nowSeconds * 1000,
  policy: [
    closedRow,
    { ...closedRow, path: '/aal2', acr: 'aal2' },
    { ...closedRow, path: '/recent', max_age_seconds: 900 },
    { ...closedRow, path: '/both', acr: 'aal2', max_age_seconds: 900 },
    { ...closedRow, path: '/permission', acr: 'aal2', permissions: { all: ['users.manage'] } },
  ],
})

async function call(path: string, claims: Record<string, unknown>) {
  const answer = await harness.call(path, { headers: bearer(await harness.issuer.sign(claims)) })
  const challenge = answer.headers.get('www-authenticate')
  return { status: answer.status, challenge, body: answer.ok ? {} : await problem(answer) }
}

const challenge = (parameters: string) => `Bearer error="insufficient_user_authentication"${parameters}`

describe('a row that asks how the caller was authenticated', () => {
  test('401 step_up_required: acr, with the challenge of RFC 9470', async () => {
    expect(await call('/aal2', { acr: 'aal1' })).toMatchObject({
      status: 401,
      challenge: challenge(', acr_values="aal2"'),
      body: { code: 'step_up_required', acr_values: 'aal2' },
    })
    expect((await call('/aal2', { acr: 'aal2' })).status).toBe(200)
  })

  test('401 step_up_required: max_age_seconds, to the second', async () => {
    expect(await call('/recent', { auth_time: nowSeconds - 901 })).toMatchObject({
      status: 401,
      challenge: challenge(', max_age="900"'),
      body: { code: 'step_up_required', max_age: 900 },
    })
    expect((await call('/recent', { auth_time: nowSeconds - 900 })).status).toBe(200)
  })

  test.each([
    ['too low', { acr: 'aal1', auth_time: nowSeconds }],
    ['too old', { acr: 'aal2', auth_time: nowSeconds - 901 }],
  ])('401 step_up_required: both are asked for, and one is %s', async (_, claims) => {
    expect(await call('/both', claims)).toMatchObject({
      status: 401,
      challenge: challenge(', acr_values="aal2", max_age="900"'),
    })
  })

  test('401 step_up_required: a token of an earlier version, without the claims; 200 at other rows', async () => {
    const before = { amr: undefined, acr: undefined, auth_time: undefined }
    for (const path of ['/aal2', '/recent']) expect((await call(path, before)).status).toBe(401)
    expect((await call('/closed', before)).status).toBe(200)
  })

  // No second factor helps a caller who lacks the permission.
  test('403 permission_required comes first', async () => {
    expect(await call('/permission', { acr: 'aal1' })).toMatchObject({ status: 403 })
    expect((await call('/permission', { acr: 'aal1', permissions: ['users.manage'] })).status).toBe(401)
  })

  test.each([
    ['acr of another kind', 'aal3'],
    ['acr that is no text', 2],
  ])('401 invalid_token: %s', async (_, acr) => {
    expect(await call('/closed', { acr })).toMatchObject({ body: { code: 'invalid_token' } })
  })

  test('is for users, and names a level that exists', () => {
    for (const row of [
      { ...openRow, acr: 'aal2' as const },
      { ...openRow, max_age_seconds: 900 },
      { ...closedRow, acr: 'aal3' as never },
      { ...closedRow, max_age_seconds: 0 },
    ])
      expect(() => compilePolicy([row], ['reports'])).toThrow(/is not usable/)
  })
})

describe('MFA_REQUIRED_FROM_LEVEL', () => {
  const policy = [closedRow, { ...closedRow, path: '/enrol', before_enrolment: true }]

  async function statusAt(path: string, claims: Record<string, unknown>) {
    const required = await createGatewayHarness({ environment: { MFA_REQUIRED_FROM_LEVEL: '90' }, policy })
    const answer = await required.call(path, { headers: bearer(await required.issuer.sign(claims)) })
    await required.close()
    return answer.ok ? '200' : `${answer.status} ${(await problem(answer)).code}`
  }

  test('401 step_up_required: a role of this level or above at aal1, on every row for users', async () => {
    for (const level of [90, 100])
      expect(await statusAt('/closed', { level, acr: 'aal1' })).toBe('401 step_up_required')
  })

  test('200: at aal2, a lower level, and rows before an enrolment', async () => {
    expect(await statusAt('/closed', { level: 100, acr: 'aal2' })).toBe('200')
    expect(await statusAt('/closed', { level: 89, acr: 'aal1' })).toBe('200')
    expect(await statusAt('/enrol', { level: 100, acr: 'aal1' })).toBe('200')
  })
})

test('an assertion carries amr, acr and auth_time of the token', async () => {
  const claims = { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', auth_time: nowSeconds - 5 }
  await call('/aal2', claims)
  const { headers } = harness.last()
  const assertion = headers.get(assertionHeader) ?? ''
  expect(decodeJwt(assertion).user).toMatchObject(claims)
})

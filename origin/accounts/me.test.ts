import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { callOrigin } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

describe('GET /v1/me', () => {
  test('200: the profile as it is now, the rights as the token has them', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const [account] = await fullStack.sql`
      update user_accounts set display_name = 'Ada', email_verified_at = now(),
        role_id = (select id from roles where name = 'superadmin')
      where email = 'ada@example.com' returning id, created_at`
    const answer = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      id: account?.id,
      email: 'ada@example.com',
      email_verified: true,
      display_name: 'Ada',
      role: 'user',
      level: 10,
      permissions: ['dashboard.read', 'profile.read', 'profile.write'],
      plan: 'free',
      features: ['basic_dashboard', 'email_notifications', 'profile_customization'],
      created_at: account?.created_at.toISOString(),
      locale: null,
      time_zone: null,
      metadata: {},
    })
  })

  test('200: without a display name and not verified', async () => {
    const { tokens } = await fullStack.signUp('bob@example.com')
    const answer = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(await answer.json()).toMatchObject({ display_name: null, email_verified: false })
  })

  test('404 not_found: the account is gone while its token still lives', async () => {
    const { tokens } = await fullStack.signUp('gone@example.com')
    await fullStack.sql`delete from user_accounts where email = 'gone@example.com'`
    const answer = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(answer.status).toBe(404)
    expect((await problem(answer)).code).toBe('not_found')
  })

  // Should a row of the policy table ever let the public in here, the origin still knows no user.
  test('401 token_missing: an assertion without a user', async () => {
    const answer = await callOrigin(fullStack, '/v1/me')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect((await problem(answer)).code).toBe('token_missing')
  })
})

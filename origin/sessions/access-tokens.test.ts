import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimsSchema } from '../../shared/auth/claims.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

/** Verified against the published keys, with public data only. */
async function verified(token: string) {
  const jwks = await (await fullStack.call('/.well-known/jwks.json')).json()
  const { payload } = await jwtVerify(token, createLocalJWKSet(jwks))
  return payload
}

describe('an access token', () => {
  test('contains every claim, with role and plan of that moment', async () => {
    await fullStack.signUp('ada@example.com')
    const [{ id }] = await fullStack.sql<[{ id: string }]>`
      update user_accounts set epoch = 3, role_id = (select id from roles where name = 'admin')
      where email = 'ada@example.com' returning id`
    await fullStack.sql`update roles set epoch = 5 where name = 'admin'`
    await fullStack.sql`update subscription_plans set epoch = 7 where name = 'starter'`
    await fullStack.sql`
      update user_subscriptions set plan_id = (select id from subscription_plans where name = 'starter'),
        period_ends_at = now() + interval '1 day'
      where user_id = ${id}`
    await fullStack.sql`truncate sessions cascade`

    const { tokens } = { tokens: await fullStack.login('ADA@example.com', 'correct horse battery') }
    const [session] = await fullStack.sql`select id from sessions where user_id = ${id}`
    const nowSeconds = Date.now() / 1000
    const payload = await verified(tokens.access_token)
    expect(payload).toEqual({
      iss: 'http://127.0.0.1:8080',
      aud: 'gatehouse',
      client_id: 'frontend',
      sub: id,
      sid: session?.id,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: expect.any(Number),
      exp: (payload.iat ?? 0) + 900,
      email: 'ada@example.com',
      role: 'admin',
      level: 90,
      permissions: [
        'analytics.read',
        'audit.read',
        'dashboard.read',
        'profile.read',
        'profile.write',
        'reports.export',
        'subscriptions.manage',
        'users.manage',
        'users.read',
      ],
      plan: 'starter',
      features: [
        'api_access',
        'basic_dashboard',
        'data_export',
        'email_notifications',
        'email_support',
        'profile_customization',
      ],
      quota: 5000,
      epoch: { user: 3, role: 5, plan: 7 },
      amr: ['pwd'],
      acr: 'aal1',
      auth_time: expect.any(Number),
    })
    expect(Math.abs(Number(payload.auth_time) - nowSeconds)).toBeLessThan(10)
    expect(Math.abs((payload.iat ?? 0) - nowSeconds)).toBeLessThan(10)
    expect(Object.keys(claimsSchema.parse(payload)).sort()).toEqual(Object.keys(payload).sort())
    expect(decodeProtectedHeader(tokens.access_token)).toEqual({
      alg: 'ES256',
      typ: 'at+jwt',
      kid: expect.stringMatching(/^[\w-]{43}$/),
    })
  })

  test('has an id and a session of its own at each login', async () => {
    const { tokens, email, password } = await fullStack.signUp('bob@example.com')
    const [one, two] = [
      await verified(tokens.access_token),
      await verified((await fullStack.login(email, password)).access_token),
    ]
    expect(one.jti).not.toBe(two.jti)
    expect(one.sid).not.toBe(two.sid)
    expect(one.sub).toBe(two.sub)
  })

  test('names issuer and audience as configured, and lives as long as configured', async () => {
    const other = await createFullStack({
      environment: {
        ISSUER_URL: 'https://id.example.com',
        ACCESS_TOKEN_AUDIENCE: 'https://api.example.com',
        ACCESS_TOKEN_SECONDS: '120',
      },
    })
    try {
      const { tokens } = await other.signUp('ada@example.com')
      expect(tokens.expires_in).toBe(120)
      const [, payload = ''] = tokens.access_token.split('.')
      const { iss, aud, exp, iat } = JSON.parse(Buffer.from(payload, 'base64url').toString())
      expect({ iss, aud, life: exp - iat }).toEqual({
        iss: 'https://id.example.com',
        aud: 'https://api.example.com',
        life: 120,
      })
    } finally {
      await other.close()
    }
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { addTotp, signUpWithTotp } from '../../test/support/full-stack/second-factor.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

/** An administrator by password alone, and after adding an authenticator app. */
async function createAdmin(email: string) {
  await fullStack.signUp(email)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = ${email}`
  const { access_token: aal1 } = await fullStack.login(email, password)
  const { accessToken: aal2 } = await addTotp(fullStack, aal1)
  return { aal1, aal2, id: String(decodeJwt(aal1).sub) }
}

const reset = (userId: string, token: string) =>
  fullStack.call(`/admin/users/${userId}/factors`, { method: 'DELETE', headers: bearer(token) })

test('204: removes the factors of an account, audited and mailed; its aal2 tokens are stale', async () => {
  const { aal2, id: actorId } = await createAdmin('admin@example.com')
  const lost = await signUpWithTotp(fullStack, 'lost@example.com')
  const userId = String(decodeJwt(lost.accessToken).sub)
  expect((await reset(userId, aal2)).status).toBe(204)
  await fullStack.syncRevocations()
  const me = await fullStack.call('/v1/me', { headers: bearer(lost.accessToken) })
  expect(await problem(me)).toMatchObject({ code: 'claims_stale' })
  const refreshed = await fullStack.post('/auth/refresh', { refresh_token: lost.tokens.refresh_token })
  expect(decodeJwt(((await refreshed.json()) as { access_token: string }).access_token).acr).toBe('aal1')
  await fullStack.login('lost@example.com', password)
  expect(
    await fullStack.sql`
      select actor_id, details from audit_logs where action = 'factor.reset' and user_id = ${userId}`,
  ).toEqual([{ actor_id: actorId, details: { totp: true, recovery_codes: true } }])
  expect((await fullStack.mails('lost@example.com')).at(-1)?.subject).toContain('was reset')
})

test('401 step_up_required: an administrator with the password alone, also one without a factor', async () => {
  const { aal1 } = await createAdmin('second-admin@example.com')
  const { accessToken } = await signUpWithTotp(fullStack, 'kept@example.com')
  const userId = String(decodeJwt(accessToken).sub)
  const response = await reset(userId, aal1)
  expect(response.status).toBe(401)
  expect(await problem(response)).toMatchObject({ code: 'step_up_required', acr_values: 'aal2' })
  expect(await fullStack.sql`select from totp_secrets where user_id = ${userId}`).toHaveLength(1)
})

test('403 escalation_refused: an account at the own level, or the own account', async () => {
  const first = await createAdmin('third-admin@example.com')
  const second = await createAdmin('fourth-admin@example.com')
  for (const id of [first.id, second.id])
    expect(await problem(await reset(id, first.aal2))).toMatchObject({ code: 'escalation_refused' })
})

test('401 step_up_required: changes of access, an hour after the authentication; 200: reading', async () => {
  await fullStack.signUp('late-admin@example.com')
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'superadmin')
    where email = 'late-admin@example.com'`
  const { access_token, refresh_token } = await fullStack.login('late-admin@example.com', password)
  await fullStack.sql`
    update sessions set authenticated_at = now() - interval '1 hour'
    where id = ${String(decodeJwt(access_token).sid)}`
  const refreshed = await fullStack.post('/auth/refresh', { refresh_token })
  const late = ((await refreshed.json()) as { access_token: string }).access_token
  const call = (method: string, path: string, body?: object) =>
    fullStack.call(path, {
      method,
      headers: { ...bearer(late), 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
  const [{ id }] = await fullStack.sql<[{ id: string }]>`
    select id from user_accounts where email = 'lost@example.com'`
  for (const [method, path, body] of [
    ['PUT', `/admin/users/${id}/role`, { role: 'subscriber' }],
    ['POST', `/admin/users/${id}/lock`, {}],
    ['POST', `/admin/users/${id}/unlock`, undefined],
    ['PUT', '/admin/roles/user/permissions', { permissions: ['profile.read'] }],
    ['POST', '/admin/permissions', { name: 'orders.read', description: 'See orders' }],
    ['PATCH', '/admin/permissions/profile.read', { description: 'See' }],
    ['DELETE', '/admin/permissions/orders.read', undefined],
  ] as const)
    expect([path, (await problem(await call(method, path, body))).code]).toEqual([path, 'step_up_required'])
  expect((await call('GET', `/admin/users/${id}`)).status).toBe(200)
})

test('401 step_up_required: plans and bookings, by an administrator with a factor, with the password alone', async () => {
  const { aal1, aal2, id } = await createAdmin('booking-admin@example.com')
  const { tokens } = await fullStack.signUp('booked@example.com')
  const userId = String(decodeJwt(tokens.access_token).sub)
  const call = (token: string, method: string, path: string, body: object) =>
    fullStack.call(path, {
      method,
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const plan = { name: 'odd', title: 'Odd', price_cents_per_month: 1, api_quota_per_hour: 60, features: [] }
  for (const [method, path, body] of [
    ['PUT', `/admin/users/${userId}/subscription`, { plan: 'pro', period_ends_at: null }],
    ['POST', '/admin/plans', plan],
    ['PATCH', '/admin/plans/pro', { title: 'Pro' }],
    ['PUT', '/admin/plans/pro/features', { features: [] }],
    ['PUT', '/admin/quotas/pro', { api_quota_per_hour: 60 }],
  ] as const) {
    const refused = await problem(await call(aal1, method, path, body))
    expect([path, refused.code]).toEqual([path, 'step_up_required'])
  }
  const booking = { plan: 'pro', period_ends_at: '2999-01-01T00:00:00Z' }
  const path = `/admin/users/${userId}/subscription`
  expect((await call(aal2, 'PUT', path, booking)).status).toBe(200)
  // Without a factor the password is enough, however long ago.
  await fullStack.sql`delete from totp_secrets where user_id = ${id}`
  expect((await call(aal1, 'PUT', path, { ...booking, plan: 'starter' })).status).toBe(200)
})

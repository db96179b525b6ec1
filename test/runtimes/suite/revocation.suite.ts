import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import type { TokenResponse } from '../../../shared/contract.ts'
import { json, login, loginSuperadmin, outcome, send, sendJson, signUp } from './client.ts'

const me = async (token: string) => outcome(await send('/v1/me', { token }))

/** The bound without Redis, which no runtime may miss: docs/revocation.md. */
const withinBound = { timeout: 5000, interval: 25 }

async function refresh({ refresh_token }: TokenResponse): Promise<TokenResponse> {
  const answer = await sendJson('/auth/refresh', { refresh_token })
  expect(outcome(answer)).toBe('200')
  return json(answer) as unknown as TokenResponse
}

test('401 session_ended: after a logout; the session of another user goes on', async () => {
  const [one, other] = [await signUp(), await signUp()]
  expect(await me(one.tokens.access_token)).toBe('200')
  const { refresh_token } = one.tokens
  expect(outcome(await sendJson('/auth/logout', { refresh_token }))).toBe('204')
  await expect.poll(() => me(one.tokens.access_token), withinBound).toBe('401 session_ended')
  expect(await me(other.tokens.access_token)).toBe('200')
})

test('401 session_ended: every other session of a user who ends them; the current one stays', async () => {
  const { email, password, tokens } = await signUp()
  const elsewhere = await login(email, password)
  const answer = await send('/auth/sessions', { method: 'DELETE', token: tokens.access_token })
  expect(answer.status).toBeLessThan(300)
  await expect.poll(() => me(elsewhere.access_token), withinBound).toBe('401 session_ended')
  expect(await me(tokens.access_token)).toBe('200')
})

test('401 claims_stale: after a change of role; the refreshed token has the new one', async () => {
  const { tokens } = await signUp()
  const { access_token: token } = await loginSuperadmin()
  const { sub } = decodeJwt(tokens.access_token)
  expect(await me(tokens.access_token)).toBe('200')
  const changed = await sendJson(`/admin/users/${sub}/role`, { role: 'subscriber' }, { method: 'PUT', token })
  expect(changed.status).toBeLessThan(300)
  await expect.poll(() => me(tokens.access_token), withinBound).toBe('401 claims_stale')
  const { access_token } = await refresh(tokens)
  expect(decodeJwt(access_token).role).toBe('subscriber')
  expect(await me(access_token)).toBe('200')
})

test('401 claims_stale: after a change of plan; the refreshed token opens what the plan has', async () => {
  const { tokens } = await signUp()
  const { access_token: token } = await loginSuperadmin()
  const { sub } = decodeJwt(tokens.access_token)
  expect(outcome(await send('/v1/reports', { token: tokens.access_token }))).toBe('403 feature_required')
  const change = { plan: 'pro' }
  const changed = await sendJson(`/admin/users/${sub}/subscription`, change, { method: 'PUT', token })
  expect(changed.status).toBeLessThan(300)
  await expect.poll(() => me(tokens.access_token), withinBound).toBe('401 claims_stale')
  const { access_token } = await refresh(tokens)
  expect(outcome(await send('/v1/reports', { token: access_token }))).toBe('200')
})

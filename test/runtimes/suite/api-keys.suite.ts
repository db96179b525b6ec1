import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import type { TokenResponse } from '../../../shared/contract.ts'
import { json, login, loginSuperadmin, newAddress, outcome, send, sendJson, signUp } from './client.ts'

/** The bound without Redis, which no runtime may miss: docs/revocation.md. */
const withinBound = { timeout: 5000, interval: 25 }

const use = (key: string, address = newAddress()) =>
  send('/v1/me', { headers: { 'x-api-key': key }, address })

const outcomeOf = async (key: string, address?: string) => outcome(await use(key, address))

async function book(sub: string, plan: string): Promise<void> {
  const { access_token: token } = await loginSuperadmin()
  const changed = await sendJson(`/admin/users/${sub}/subscription`, { plan }, { method: 'PUT', token })
  expect(changed.status).toBeLessThan(300)
}

async function createKey({ access_token: token }: TokenResponse, body: object = {}) {
  const created = await sendJson(
    '/v1/api-keys',
    { name: 'ci', permissions: ['profile.read'], ...body },
    { token },
  )
  expect(outcome(created)).toBe('200')
  return json(created) as { id: string; key: string }
}

/** An account with API keys in its plan. */
async function signUpOwner() {
  const { email, password, tokens } = await signUp()
  const sub = String(decodeJwt(tokens.access_token).sub)
  await book(sub, 'starter')
  return { email, sub, tokens: await login(email, password) }
}

test('200 with a key, in either header; 401 invalid_token within the bound after it was revoked', async () => {
  const { email, tokens } = await signUpOwner()
  const { id, key } = await createKey(tokens)
  const answers = await Promise.all(Array.from({ length: 10 }, () => use(key)))
  for (const answer of answers) expect(json(answer)).toMatchObject({ email, permissions: ['profile.read'] })
  expect(outcome(await send('/v1/me', { token: key }))).toBe('200')
  const revoked = await send(`/v1/api-keys/${id}`, { method: 'DELETE', token: tokens.access_token })
  expect(revoked.status).toBe(204)
  await expect.poll(() => outcomeOf(key), withinBound).toBe('401 invalid_token')
})

test('200 with a key through a change of plan: its token is renewed, never 401 claims_stale', async () => {
  const { sub, tokens } = await signUpOwner()
  const { key } = await createKey(tokens)
  expect(json(await use(key))).toMatchObject({ plan: 'starter' })
  await book(sub, 'pro')
  await expect
    .poll(async () => {
      const answer = await use(key)
      expect(outcome(answer)).toBe('200')
      return json(answer).plan
    }, withinBound)
    .toBe('pro')
})

test('403 network_not_allowed: a key from outside its networks', async () => {
  const { tokens } = await signUpOwner()
  const { key } = await createKey(tokens, { networks: ['198.51.100.0/24'] })
  expect(await outcomeOf(key, '198.51.100.20')).toBe('200')
  expect(await outcomeOf(key)).toBe('403 network_not_allowed')
})

test('403 api_key_not_accepted: on a row without keys; 401 invalid_token: a mistyped one', async () => {
  const { tokens } = await signUpOwner()
  const { key } = await createKey(tokens)
  expect(outcome(await send('/auth/sessions', { token: key }))).toBe('403 api_key_not_accepted')
  expect(await outcomeOf(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`)).toBe('401 invalid_token')
})

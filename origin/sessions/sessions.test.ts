import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SessionsResponse, TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let laptop: TokenResponse
let phone: TokenResponse
let somebodyElse: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('ada@example.com', password)
  await fullStack.signUp('bob@example.com', password)
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate sessions cascade`
  laptop = await loginFrom('ada@example.com', '198.51.100.1', 'laptop/1')
  phone = await loginFrom('ada@example.com', '2001:db8::2', 'phone/1')
  somebodyElse = await loginFrom('bob@example.com', '203.0.113.9', 'other/1')
  await fullStack.sql`truncate audit_logs, revocations`
})

async function loginFrom(email: string, address: string, userAgent: string): Promise<TokenResponse> {
  const headers = { 'user-agent': userAgent }
  const answer = await fullStack.post('/auth/login', { email, password }, { address, headers })
  return (await answer.json()) as TokenResponse
}

const idOf = ({ access_token }: TokenResponse) => String(decodeJwt(access_token).sid)

async function list(tokens: TokenResponse): Promise<SessionsResponse['sessions']> {
  const answer = await fullStack.call('/auth/sessions', { headers: bearer(tokens.access_token) })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as SessionsResponse).sessions
}

const remove = (tokens: TokenResponse, path = '') =>
  fullStack.call(`/auth/sessions${path}`, {
    method: 'DELETE',
    headers: { ...bearer(tokens.access_token), 'x-request-id': 'sessions-0001' },
  })

const refreshStatus = async (tokens: TokenResponse) =>
  (await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })).status

const revoked = async () =>
  (await fullStack.sql`select subject from revocations where scope = 'session'`).map(({ subject }) => subject)

describe('GET /auth/sessions', () => {
  test('200: own live ones, the one used last first, with device, address, times and which is current', async () => {
    const answer = await fullStack.call('/auth/sessions', { headers: bearer(laptop.access_token) })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const authentication = { amr: ['pwd'], acr: 'aal1', auth_time: time }
    const times = { created_at: time, last_used_at: time, expires_at: time, ...authentication }
    expect(await answer.json()).toEqual({
      sessions: [
        { id: idOf(phone), current: false, ip: '2001:db8::2', user_agent: 'phone/1', ...times },
        { id: idOf(laptop), current: true, ip: '198.51.100.1', user_agent: 'laptop/1', ...times },
      ],
    })
  })

  test('200: a refresh makes a session the one used last', async () => {
    await refreshStatus(laptop)
    const [first, second] = await list(phone)
    expect([first?.id, second?.id]).toEqual([idOf(laptop), idOf(phone)])
    expect(Date.parse(first?.last_used_at ?? '')).toBeGreaterThan(Date.parse(first?.created_at ?? ''))
  })

  test.each([
    ['ended', `update sessions set ended_at = now(), end_reason = 'logout' where user_agent = 'phone/1'`],
    ['is past its absolute end', `update sessions set expires_at = now() where user_agent = 'phone/1'`],
    ['idled out', `update tokens set expires_at = now() where user_agent = 'phone/1'`],
  ])('200: without one that %s', async (_, change) => {
    await fullStack.sql.unsafe(change)
    expect((await list(laptop)).map(({ id }) => id)).toEqual([idOf(laptop)])
  })

  test('401 token_missing: without a token', async () => {
    const answer = await fullStack.call('/auth/sessions')
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('token_missing')
  })
})

describe('DELETE /auth/sessions/{id}', () => {
  test('204: ends that one alone, with its refresh token, a revocation and an audit row', async () => {
    expect((await remove(laptop, `/${idOf(phone)}`)).status).toBe(204)
    expect(await refreshStatus(phone)).toBe(401)
    expect(await refreshStatus(laptop)).toBe(200)
    expect(await revoked()).toEqual([idOf(phone)])
    const userId = decodeJwt(laptop.access_token).sub
    expect(
      await fullStack.sql`select action, actor_id, user_id, session_id, request_id, details from audit_logs`,
    ).toEqual([
      {
        action: 'session.ended',
        actor_id: userId,
        user_id: userId,
        session_id: idOf(phone),
        request_id: 'sessions-0001',
        details: { reason: 'ended_by_user' },
      },
    ])
  })

  test('204: the current one', async () => {
    expect((await remove(laptop, `/${idOf(laptop)}`)).status).toBe(204)
    expect(await refreshStatus(laptop)).toBe(401)
  })

  // No response tells a caller who tries ids which of them exist.
  test('404 not_found: a session of another user, an unknown one, an ended one and no id get the same response', async () => {
    await remove(laptop, `/${idOf(phone)}`)
    const ids = [idOf(somebodyElse), crypto.randomUUID(), idOf(phone), 'x', '1'.repeat(500)]
    const bodies = []
    for (const id of ids) {
      const answer = await remove(laptop, `/${encodeURIComponent(id)}`)
      expect(answer.status, id).toBe(404)
      const { request_id: _, ...body } = await problem(answer)
      bodies.push(body)
    }
    for (const body of bodies) expect(body).toEqual(bodies[0])
    expect(bodies[0]?.code).toBe('not_found')
    expect(await refreshStatus(somebodyElse)).toBe(200)
    expect(await revoked()).toEqual([idOf(phone)])
  })
})

describe('DELETE /auth/sessions', () => {
  test('204: ends all others of the caller, and no other user’s', async () => {
    const tablet = await loginFrom('ada@example.com', '198.51.100.3', 'tablet/1')
    expect((await remove(laptop)).status).toBe(204)
    expect(await Promise.all([laptop, phone, tablet, somebodyElse].map(refreshStatus))).toEqual([
      200, 401, 401, 200,
    ])
    expect((await revoked()).sort()).toEqual([idOf(phone), idOf(tablet)].sort())
    expect(
      await fullStack.sql`select action, details from audit_logs where action = 'session.ended'`,
    ).toEqual([{ action: 'session.ended', details: { reason: 'ended_by_user', count: 2 } }])
  })

  test('204: where there is no other, nothing is written', async () => {
    await remove(laptop)
    await fullStack.sql`truncate audit_logs, revocations`
    expect((await remove(laptop)).status).toBe(204)
    expect(await fullStack.sql`select from audit_logs`).toHaveLength(0)
    expect(await revoked()).toEqual([])
  })
})

describe('POST /auth/logout with everywhere', () => {
  test('204: ends all of the account, each with a revocation, and no other user’s', async () => {
    const answer = await fullStack.post('/auth/logout', {
      refresh_token: phone.refresh_token,
      everywhere: true,
    })
    expect(answer.status).toBe(204)
    expect(await Promise.all([laptop, phone, somebodyElse].map(refreshStatus))).toEqual([401, 401, 200])
    expect((await revoked()).sort()).toEqual([idOf(laptop), idOf(phone)].sort())
    expect(
      await fullStack.sql`select action, details from audit_logs where action = 'session.ended'`,
    ).toEqual([{ action: 'session.ended', details: { reason: 'logout_everywhere', count: 2 } }])
  })
})

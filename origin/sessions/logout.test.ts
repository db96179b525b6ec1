import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let tokens: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate sessions cascade`
  tokens = await fullStack.login('ada@example.com', password)
  await fullStack.sql`truncate audit_logs`
})

const logout = (refreshToken: string) =>
  fullStack.post(
    '/auth/logout',
    { refresh_token: refreshToken },
    { address: '198.51.100.9', headers: { 'user-agent': 'probe/4', 'x-request-id': 'logout-0001' } },
  )

async function refreshCode(refreshToken: string) {
  const answer = await fullStack.post('/auth/refresh', { refresh_token: refreshToken })
  return answer.status === 200 ? 200 : (await problem(answer)).code
}

const session = async () => (await fullStack.sql`select * from sessions`)[0]

describe('POST /auth/logout', () => {
  test('204: the session and its refresh token end, and an audit row names user and address', async () => {
    const answer = await logout(tokens.refresh_token)
    expect(answer.status).toBe(204)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.text()).toBe('')
    const ended = await session()
    expect(ended).toMatchObject({ end_reason: 'logout', ended_at: expect.any(Date) })
    expect(
      await fullStack.sql`
      select action, actor_id, user_id, session_id, host(ip) as ip, user_agent, request_id from audit_logs`,
    ).toEqual([
      {
        action: 'session.ended',
        actor_id: ended?.user_id,
        user_id: ended?.user_id,
        session_id: ended?.id,
        ip: '198.51.100.9',
        user_agent: 'probe/4',
        request_id: 'logout-0001',
      },
    ])
    expect(await refreshCode(tokens.refresh_token)).toBe('refresh_invalid')
  })

  test('204: a second time changes nothing and writes nothing', async () => {
    await logout(tokens.refresh_token)
    const before = [await session(), await fullStack.sql`select * from audit_logs`]
    expect((await logout(tokens.refresh_token)).status).toBe(204)
    expect([await session(), await fullStack.sql`select * from audit_logs`]).toEqual(before)
  })

  // RFC 7009, section 2.2: what the caller wants is already so, and the answer tells no guesser
  // anything.
  test('204: an unknown token ends no session', async () => {
    expect((await logout('A'.repeat(43))).status).toBe(204)
    expect((await session())?.ended_at).toBeNull()
    expect(await fullStack.sql`select from audit_logs`).toHaveLength(0)
  })

  // A tab that slept through a refresh logs out with the token it knows.
  test('204: a spent token of the chain ends the session too', async () => {
    const answer = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    const next = (await answer.json()) as TokenResponse
    expect((await logout(tokens.refresh_token)).status).toBe(204)
    expect((await session())?.end_reason).toBe('logout')
    expect(await refreshCode(next.refresh_token)).toBe('refresh_invalid')
  })

  test('204: an expired token ends its session too', async () => {
    await fullStack.sql`update tokens set expires_at = now() - interval '1 second'`
    expect((await logout(tokens.refresh_token)).status).toBe(204)
    expect((await session())?.end_reason).toBe('logout')
  })

  test('204: other sessions of the same account live on', async () => {
    const other = await fullStack.login('ada@example.com', password)
    await logout(tokens.refresh_token)
    expect(await refreshCode(other.refresh_token)).toBe(200)
  })

  // Of a refresh and a logout that cross, no order may leave a live token behind.
  test.each([
    ['first', true],
    ['second', false],
  ])(
    '204: crossing with a refresh that came %s, no token of the session works afterwards',
    async (_, first) => {
      const refresh = () => fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
      const end = () => logout(tokens.refresh_token)
      const answers = await forceRace(fullStack, {
        at: 'select from sessions for update',
        requests: () => (first ? [refresh(), end()] : [end(), refresh()]),
        waiting: 2,
      })
      const [refreshed, loggedOut] = first ? answers : answers.toReversed()
      expect(loggedOut?.status).toBe(204)
      expect((await session())?.end_reason).toBe('logout')
      if (refreshed?.status === 200) {
        const { refresh_token: successor } = (await refreshed.json()) as TokenResponse
        expect(await refreshCode(successor)).toBe('refresh_invalid')
      }
      expect(await refreshCode(tokens.refresh_token)).toBe('refresh_invalid')
    },
  )
})

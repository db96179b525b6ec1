import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let tokens: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, REFRESH_LATE_REPLAYS: '0' } })
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

/** Each test begins with one fresh session. */
beforeEach(async () => {
  await fullStack.sql`update user_accounts set status = 'active'`
  await fullStack.sql`truncate sessions, audit_logs cascade`
  tokens = await fullStack.login('ada@example.com', password)
  await fullStack.sql`truncate audit_logs`
})

const refresh = (refreshToken: string, headers = {}) =>
  fullStack.post('/auth/refresh', { refresh_token: refreshToken }, { address: '198.51.100.9', headers })

async function refreshed(refreshToken: string): Promise<TokenResponse> {
  const answer = await refresh(refreshToken)
  expect(answer.status).toBe(200)
  return (await answer.json()) as TokenResponse
}

async function expectRefused(refreshToken: string, code: 'refresh_invalid' | 'refresh_reused') {
  const answer = await refresh(refreshToken)
  expect(answer.status).toBe(401)
  expect(await problem(answer)).toMatchObject({ code, status: 401 })
}

/** Puts what was spent out of its grace window. */
const passGrace = () =>
  fullStack.sql`update tokens set spent_at = spent_at - interval '11 seconds' where spent_at is not null`

const session = async () => (await fullStack.sql`select *, expires_at::text as ends from sessions`)[0]

describe('POST /auth/refresh', () => {
  test('200: a successor in the form of RFC 6749, with no-store, which can be refreshed again', async () => {
    const answer = await refresh(tokens.refresh_token)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const next = (await answer.json()) as TokenResponse
    expect(next).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^[\w-]{54}$/),
    })
    expect(next.refresh_token).not.toBe(tokens.refresh_token)
    const [old, fresh] = [decodeJwt(tokens.access_token), decodeJwt(next.access_token)]
    expect(fresh.sid).toBe(old.sid)
    expect(fresh.sub).toBe(old.sub)
    expect(fresh.jti).not.toBe(old.jti)
    await refreshed((await refreshed(next.refresh_token)).refresh_token)
  })

  test('200: only its SHA-256 is stored, with the address and user agent it was issued to', async () => {
    const answer = await refresh(tokens.refresh_token, { 'user-agent': 'probe/3' })
    const { refresh_token: successor } = (await answer.json()) as TokenResponse
    const [row] = await fullStack.sql`
      select host(ip) as ip, user_agent, token_hash, spent_at, tokens::text as everything
      from tokens order by id desc limit 1`
    expect(row).toMatchObject({ ip: '198.51.100.9', user_agent: 'probe/3', spent_at: null })
    expect(row?.token_hash).toEqual(createHash('sha256').update(successor).digest())
    expect(row?.everything).not.toContain(successor)
  })

  test('200: role and plan are read anew', async () => {
    expect(decodeJwt(tokens.access_token)).toMatchObject({ role: 'user', plan: 'free', level: 10 })
    await fullStack.sql`update user_accounts set role_id = (select id from roles where name = 'subscriber')`
    await fullStack.sql`
      update user_subscriptions set plan_id = (select id from subscription_plans where name = 'pro')`
    const next = await refreshed(tokens.refresh_token)
    expect(decodeJwt(next.access_token)).toMatchObject({
      role: 'subscriber',
      level: 50,
      plan: 'pro',
      quota: 20_000,
      features: expect.arrayContaining(['premium_dashboard']),
      permissions: expect.arrayContaining(['analytics.read']),
    })
  })

  test('200: the idle limit starts anew, the absolute end of the session stays and caps it', async () => {
    const before = await session()
    const { refresh_token: second } = await refreshed(tokens.refresh_token)
    expect((await session())?.ends).toBe(before?.ends)
    expect(
      await fullStack.sql`
      select extract(epoch from expires_at - created_at)::int as life_seconds, spent_at is not null as spent
      from tokens order by id`,
    ).toEqual([
      { life_seconds: 7 * 86_400, spent: true },
      { life_seconds: 7 * 86_400, spent: false },
    ])

    await fullStack.sql`update sessions set expires_at = now() + interval '1 minute'`
    await refreshed(second)
    const [last] = await fullStack.sql`
      select tokens.expires_at = sessions.expires_at as capped
      from tokens join sessions on sessions.id = session_id order by tokens.id desc limit 1`
    expect(last?.capped).toBe(true)
  })

  // A thief and the owner hold the same token: whoever comes second shows that there are two, so
  // the session ends for both.
  test('401 refresh_reused: a spent token ends the whole session, its successor with it, and leaves an audit row', async () => {
    const { refresh_token: second } = await refreshed(tokens.refresh_token)
    const { refresh_token: third } = await refreshed(second)
    await passGrace()
    const answer = await refresh(tokens.refresh_token, {
      'user-agent': 'thief/1',
      'x-request-id': 'thief-request-1',
    })
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('refresh_reused')

    const ended = await session()
    expect(ended).toMatchObject({ end_reason: 'refresh_reused', ended_at: expect.any(Date) })
    expect(
      await fullStack.sql`
      select action, actor_id, user_id, session_id, host(ip) as ip, user_agent, request_id from audit_logs`,
    ).toEqual([
      {
        action: 'session.refresh_reused',
        actor_id: null,
        user_id: ended?.user_id,
        session_id: ended?.id,
        ip: '198.51.100.9',
        user_agent: 'thief/1',
        request_id: 'thief-request-1',
      },
    ])
    await expectRefused(third, 'refresh_invalid')
  })

  test('401 refresh_reused: another session of the same account lives on', async () => {
    const other = await fullStack.login('ada@example.com', password)
    await refreshed(tokens.refresh_token)
    await passGrace()
    await expectRefused(tokens.refresh_token, 'refresh_reused')
    await refreshed(other.refresh_token)
  })

  test('401 refresh_reused: also for a spent token that has expired', async () => {
    await refreshed(tokens.refresh_token)
    await passGrace()
    await fullStack.sql`update tokens set expires_at = now() - interval '1 second' where spent_at is not null`
    await expectRefused(tokens.refresh_token, 'refresh_reused')
    expect((await session())?.end_reason).toBe('refresh_reused')
  })

  // Revocations and audit rows must not be lost between two commits (I3).
  test('401 refresh_reused: end, revocation and audit row are of one commit', async () => {
    await refreshed(tokens.refresh_token)
    await passGrace()
    await expectRefused(tokens.refresh_token, 'refresh_reused')
    const rows = await fullStack.sql`
      select sessions.xmin::text as ended, revocations.xmin::text as told, audit_logs.xmin::text as audited
      from sessions, revocations, audit_logs
      where revocations.scope = 'session' and revocations.subject = sessions.id::text
        and audit_logs.action = 'session.refresh_reused' and audit_logs.session_id = sessions.id`
    expect(rows).toHaveLength(1)
    expect(new Set(Object.values(rows[0] ?? {})).size).toBe(1)
  })

  test('401 refresh_invalid: a token that was never issued; no session ends for it', async () => {
    await expectRefused('A'.repeat(43), 'refresh_invalid')
    expect((await session())?.ended_at).toBeNull()
    expect(await fullStack.sql`select from audit_logs`).toHaveLength(0)
  })

  // A thief of the database cannot send the stored hash in place of the token.
  test('401 refresh_invalid: the stored hash itself, in hex or base64url', async () => {
    const [row] = await fullStack.sql<[{ token_hash: Buffer }]>`select token_hash from tokens`
    for (const encoding of ['hex', 'base64url'] as const)
      await expectRefused(row.token_hash.toString(encoding), 'refresh_invalid')
  })

  test.each([
    ['idle for longer than its life', `update tokens set expires_at = now() - interval '1 second'`],
    ['past the absolute end of its session', `update sessions set expires_at = now() - interval '1 second'`],
    ['of a disabled account', `update user_accounts set status = 'disabled'`],
    ['of an ended session', `update sessions set ended_at = now(), end_reason = 'logout'`],
    ['of a deleted session', `delete from sessions`],
    ['of another kind', `update tokens set kind = 'password_reset', session_id = null`],
  ])('401 refresh_invalid: a token %s; nothing is spent, issued or touched', async (_, change) => {
    await fullStack.sql.unsafe(change)
    const rows = async () => [
      await fullStack.sql`select * from tokens`,
      await fullStack.sql`select * from sessions`,
    ]
    const before = await rows()
    await expectRefused(tokens.refresh_token, 'refresh_invalid')
    expect(await rows()).toEqual(before)
    expect(await fullStack.sql`select from audit_logs`).toHaveLength(0)
  })
})

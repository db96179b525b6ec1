import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forceRace, untilOneWaits } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { postOrigin, sameToAReader } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  for (const email of ['ada@example.com', 'disabled@example.com'])
    await fullStack.post('/auth/register', { email, password })
  await fullStack.sql`update user_accounts set status = 'disabled' where email = 'disabled@example.com'`
  const [account] = await fullStack.sql<
    [{ id: string }]
  >`select id from user_accounts where email = 'ada@example.com'`
  userId = account.id
})
beforeEach(() => fullStack.sql`truncate login_attempts, audit_logs, sessions cascade`)
afterAll(() => fullStack.close())

const login = (email: string, attempt = password) =>
  fullStack.post('/auth/login', { email, password: attempt })

describe('POST /auth/login', () => {
  test('200: the tokens in the form of RFC 6749, with no-store', async () => {
    const answer = await login('ada@example.com')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 900,
      // 54 characters of base64url, 43 of them random, are 256 bits and a tag.
      refresh_token: expect.stringMatching(/^[\w-]{54}$/),
    })
  })

  test('200: the email in any letter case', async () => {
    expect((await login('ADA@Example.COM')).status).toBe(200)
  })

  test('200: a session of 30 days and a refresh token of 7, with address and user agent', async () => {
    const before = Date.now()
    await fullStack.post(
      '/auth/login',
      { email: 'ada@example.com', password },
      { address: '2001:db8::7', headers: { 'user-agent': `probe/${'1'.repeat(600)}` } },
    )
    const origin = { ip: '2001:db8::7', user_agent: `probe/${'1'.repeat(506)}` }
    const [session] = await fullStack.sql`
      select host(ip) as ip, user_agent, user_id, ended_at,
        extract(epoch from expires_at - created_at)::int as life_seconds from sessions`
    expect(session).toEqual({ ...origin, user_id: userId, ended_at: null, life_seconds: 30 * 86_400 })
    const [token] = await fullStack.sql`
      select host(ip) as ip, user_agent, kind, spent_at, created_at,
        extract(epoch from expires_at - created_at)::int as life_seconds from tokens`
    expect(token).toMatchObject({ ...origin, kind: 'refresh', spent_at: null, life_seconds: 7 * 86_400 })
    expect(Math.abs(token?.created_at.getTime() - before)).toBeLessThan(60_000)
  })

  // No response tells a caller who tries addresses which of them have an account, or its state.
  test('401 invalid_credentials: unknown account, wrong password and disabled account get the same response', async () => {
    const answers = await Promise.all(
      [
        { email: 'nobody@example.com', password },
        { email: 'ada@example.com', password: 'wrong horse battery' },
        { email: 'disabled@example.com', password },
        { email: 'disabled@example.com', password: 'wrong horse battery' },
      ].map(async (body) => sameToAReader(await postOrigin(fullStack, '/auth/login', body))),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0]).toMatchObject({ status: 401, body: { code: 'invalid_credentials', status: 401 } })
    expect(await fullStack.sql`select from sessions`).toHaveLength(0)
    expect(await fullStack.sql`select from tokens`).toHaveLength(0)
  })

  // The password was right and the account open when the login began: what is refused must leave
  // its trail all the same.
  test('401 invalid_credentials: an account that is locked while its password is hashed; recorded as such', async () => {
    const lockAccount = async () =>
      void (await fullStack.sql`update user_accounts set status = 'disabled' where email = 'ada@example.com'`)
    const statuses = await forceRace(fullStack, {
      at: `select from user_accounts where email = 'ada@example.com' for update`,
      requests: () => [
        lockAccount().then(() => 0),
        untilOneWaits(fullStack).then(async () => (await login('ada@example.com')).status),
      ],
      waiting: 2,
    })
    await fullStack.sql`update user_accounts set status = 'active' where email = 'ada@example.com'`
    expect(statuses).toEqual([0, 401])
    expect(await fullStack.sql`select reason from login_attempts`).toEqual([{ reason: 'account_disabled' }])
    expect(await fullStack.sql`select details from audit_logs where action = 'login.failed'`).toEqual([
      { details: { reason: 'account_disabled' } },
    ])
    expect(await fullStack.sql`select from sessions`).toHaveLength(0)
  })

  test('401 invalid_credentials: the password in other letter case, or with a space behind', async () => {
    for (const attempt of ['Correct horse battery', 'correct horse battery '])
      expect((await login('ada@example.com', attempt)).status).toBe(401)
  })

  test.each([
    ['succeeded', 'Ada@example.com', password, null, 'login.succeeded', { amr: ['pwd'], acr: 'aal1' }],
    [
      'wrong password',
      'ada@example.com',
      'wrong',
      'wrong_password',
      'login.failed',
      { reason: 'wrong_password' },
    ],
    [
      'unknown account',
      'no@example.com',
      'x',
      'unknown_account',
      'login.failed',
      { reason: 'unknown_account' },
    ],
    [
      'disabled account',
      'disabled@example.com',
      password,
      'account_disabled',
      'login.failed',
      { reason: 'account_disabled' },
    ],
    // A caller who does not know the password does not learn that the account is disabled.
    [
      'disabled account, wrong password',
      'disabled@example.com',
      'wrong',
      'wrong_password',
      'login.failed',
      { reason: 'wrong_password' },
    ],
  ])('an attempt is recorded, with an audit row: %s', async (_, email, attempt, reason, action, details) => {
    await fullStack.post(
      '/auth/login',
      { email, password: attempt },
      { address: '198.51.100.9', headers: { 'user-agent': 'probe/2', 'x-request-id': 'attempt-0001' } },
    )
    const [account] = await fullStack.sql`select id from user_accounts where lower(email) = lower(${email})`
    const caller = { ip: '198.51.100.9', user_agent: 'probe/2' }
    const attempts = await fullStack.sql`
      select email, user_id, host(ip) as ip, user_agent, succeeded, reason from login_attempts`
    expect(attempts).toEqual([
      {
        ...caller,
        email: email.toLowerCase(),
        user_id: account?.id ?? null,
        succeeded: reason === null,
        reason,
      },
    ])
    const [session] = await fullStack.sql`select id from sessions`
    const audit = await fullStack.sql`
      select action, actor_id, user_id, session_id, host(ip) as ip, user_agent, request_id, details from audit_logs`
    expect(audit).toEqual([
      {
        ...caller,
        action,
        actor_id: reason === null ? account?.id : null,
        user_id: account?.id ?? null,
        session_id: session?.id ?? null,
        request_id: 'attempt-0001',
        details,
      },
    ])
  })

  test('422 validation_failed: an email with a line break, which would split a log line', async () => {
    const answer = await login('ada@example.com\r\n{"level":"error"}')
    expect(answer.status).toBe(422)
    expect((await problem(answer)).errors?.map(({ pointer }) => pointer)).toEqual(['/email'])
    expect(await fullStack.sql`select from login_attempts`).toHaveLength(0)
  })
})

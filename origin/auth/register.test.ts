import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { postOrigin, sameToAReader } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const register = (body: Record<string, unknown>) => fullStack.post('/auth/register', { password, ...body })

const accountsOf = (email: string) =>
  fullStack.sql`select * from user_accounts where lower(email) = lower(${email})`

describe('POST /auth/register', () => {
  test('202: account, role user, free subscription and audit row, in one transaction', async () => {
    const answer = await fullStack.post(
      '/auth/register',
      { email: 'ada@example.com', password, display_name: '  Ada  ' },
      { address: '2001:db8::7', headers: { 'user-agent': 'probe/1', 'x-request-id': 'register-0001' } },
    )
    expect(answer.status).toBe(202)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.json()).toEqual({ status: 'accepted' })

    const [account] = await fullStack.sql`
      select account.id, account.display_name, account.status, account.email_verified_at, role.name as role,
        account.xmin::text as transaction
      from user_accounts account join roles role on role.id = account.role_id
      where email = 'ada@example.com'`
    expect(account).toMatchObject({
      display_name: 'Ada',
      role: 'user',
      status: 'active',
      email_verified_at: null,
    })
    const subscriptions = await fullStack.sql`
      select plan.name as plan, subscription.status, period_ends_at, ended_at, subscription.xmin::text as transaction
      from user_subscriptions subscription join subscription_plans plan on plan.id = subscription.plan_id
      where user_id = ${account?.id}`
    expect(subscriptions).toEqual([
      {
        plan: 'free',
        status: 'active',
        period_ends_at: null,
        ended_at: null,
        transaction: account?.transaction,
      },
    ])
    const audit = await fullStack.sql`
      select action, actor_id, host(ip) as ip, user_agent, request_id, xmin::text as transaction
      from audit_logs where user_id = ${account?.id}`
    expect(audit).toEqual([
      {
        action: 'account.registered',
        actor_id: account?.id,
        ip: '2001:db8::7',
        user_agent: 'probe/1',
        request_id: 'register-0001',
        transaction: account?.transaction,
      },
    ])
  })

  // The response does not tell whether an address has an account.
  test('202: a taken address in other letter case gives the same status, headers and body, and changes nothing', async () => {
    const first = await postOrigin(fullStack, '/auth/register', { email: 'bob@example.com', password })
    const before = await accountsOf('bob@example.com')
    const second = await postOrigin(fullStack, '/auth/register', {
      email: 'BOB@Example.com',
      password: 'another password',
      display_name: 'Mallory',
    })

    expect(await sameToAReader(second)).toEqual(await sameToAReader(first))
    expect(await accountsOf('bob@example.com')).toEqual(before)
    const [{ count }] = await fullStack.sql<[{ count: number }]>`
      select count(*)::int from user_subscriptions where user_id = ${before[0]?.id}`
    expect(count).toBe(1)
    const refused = await fullStack.sql`
      select actor_id, user_id from audit_logs where action = 'account.registration_refused'`
    expect(refused).toEqual([{ actor_id: null, user_id: before[0]?.id }])
    expect((await fullStack.post('/auth/login', { email: 'bob@example.com', password })).status).toBe(200)
  })

  test('202: twenty at once for one address in different letter cases make one account', async () => {
    const cases = Array.from({ length: 20 }, (_, index) =>
      [...'carol@example.com']
        .map((letter, at) => (at % 20 === index || at === 0 ? letter.toUpperCase() : letter))
        .join(''),
    )
    const answers = await Promise.all(cases.map((email) => register({ email })))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    const accounts = await accountsOf('carol@example.com')
    expect(accounts).toHaveLength(1)
    const [{ count }] = await fullStack.sql<[{ count: number }]>`
      select count(*)::int from user_subscriptions where user_id = ${accounts[0]?.id}`
    expect(count).toBe(1)
  })

  // A client that asks for rights at the door: mass assignment.
  test.each([
    ['role', 'superadmin'],
    ['plan', 'enterprise'],
    ['status', 'active'],
    ['email_verified_at', '2020-01-01'],
    ['a/b~c', 'x'],
  ])('422 validation_failed: the field %s is rejected by its name, never obeyed', async (field, value) => {
    const answer = await register({ email: 'mallory@example.com', [field]: value })
    expect(answer.status).toBe(422)
    const { code, errors } = await problem(answer)
    expect(code).toBe('validation_failed')
    const pointer = `/${field.replace('~', '~0').replace('/', '~1')}`
    expect(errors).toEqual([{ pointer, detail: 'is not a field one may set' }])
    expect(await accountsOf('mallory@example.com')).toHaveLength(0)
  })

  test.each([
    ['without a domain', 'dave'],
    [
      'with a line break, which would split a log line or a mail header',
      'dave@example.com\r\nBcc: eve@example.com',
    ],
    ['with a zero byte', 'dave\u0000@example.com'],
    ['longer than 254', `${'d'.repeat(64)}@${'e'.repeat(190)}.com`],
  ])('422 validation_failed: an email %s', async (_, email) => {
    const answer = await register({ email })
    expect(answer.status).toBe(422)
    expect((await problem(answer)).errors?.map(({ pointer }) => pointer)).toEqual(['/email'])
  })

  test.each([
    ['nothing but spaces', '   '],
    ['longer than 80', 'd'.repeat(81)],
    ['with a zero byte, which Postgres cannot hold', 'Dave\u0000'],
    ['with a line break', 'Dave\nDave'],
  ])('422 validation_failed: a display name of %s', async (_, display_name) => {
    const answer = await register({ email: 'dave@example.com', display_name })
    expect(answer.status).toBe(422)
    expect((await problem(answer)).errors?.map(({ pointer }) => pointer)).toEqual(['/display_name'])
    expect(await accountsOf('dave@example.com')).toHaveLength(0)
  })

  // A name is shown beside other text: it must not turn that around, break its line or be no text
  // at all.
  test('422 validation_failed: a display name with half characters, line breaks or turned direction', async () => {
    for (const name of ['Half \ud83d', 'a\u2028b', 'a\u202eb', 'a\u2066b', 'a\u0007b']) {
      const answer = await register({ email: 'half@example.com', display_name: name })
      expect(answer.status).toBe(422)
      expect((await problem(answer)).errors?.map(({ pointer }) => pointer)).toEqual(['/display_name'])
    }
    expect(await accountsOf('half@example.com')).toHaveLength(0)
  })

  test('202: a display name in any script, joiners and emoji included', async () => {
    const name = 'می\u200cخواهم 👩\u200d🚀 Ada'
    expect((await register({ email: 'joined@example.com', display_name: name })).status).toBe(202)
    expect((await accountsOf('joined@example.com'))[0]?.display_name).toBe(name)
  })

  // NFC takes time that grows with the square of a run of accents: one such request stopped the
  // event loop for seconds.
  test('422 validation_failed: a password of 30,000 accents, at once', async () => {
    const accents = '\u0301'.repeat(15_000) + '\u0316'.repeat(15_000)
    const usage = process.cpuUsage()
    const answer = await register({ email: 'accents@example.com', password: `a${accents}` })
    expect(answer.status).toBe(422)
    expect(process.cpuUsage(usage).user / 1000).toBeLessThan(500)
  })
})

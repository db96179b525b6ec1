import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'

const hash = '$2b$06$DHB.8cFqnjc0kMZvAsUD2enNGk2gWlT0hNvn5X2qmV8EFMzAfMI3.'
const otherHash = '$2a$05$TfjoVtH8E4t0WKyZJ8YaqusgVsx/X1yvGH/lYQCpVrsLckLtoBbhC'
/** Of both. */
const password = 'correct horse battery'

let fullStack: OAuthFullStack
let token: string
beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  token = await fullStack.serviceToken(await fullStack.client('migration', 'users.import'))
})
beforeEach(async () => {
  await fullStack.sql`delete from user_accounts`
  await fullStack.sql`truncate audit_logs, revocations, login_counters, mail_outbox`
})
afterAll(() => fullStack.close())

async function send(body: unknown, headers: Record<string, string> = bearer(token)) {
  const response = await fullStack.originFetch('/internal/users/import', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

const importUsers = async (...users: object[]) => (await send({ users })).body
const ada = (more: object = {}) => ({
  external_id: 'old-1',
  email: 'ada@example.com',
  password_hash: hash,
  ...more,
})

async function account(email = 'ada@example.com') {
  const [row] = await fullStack.sql`
    select account.id, external_id, email, email_verified_at is not null as verified, display_name, role.name as role,
      account.status, product_metadata as metadata, password_hash, plan.name as plan
    from user_accounts account
    join roles role on role.id = account.role_id
    join user_subscriptions subscription on subscription.user_id = account.id and ended_at is null
    join subscription_plans plan on plan.id = subscription.plan_id
    where email = ${email}`
  return row
}

describe('POST /internal/users/import', () => {
  test('200: an outcome for each account, in their order; audited with the client; no mail', async () => {
    const { status, body } = await send({
      users: [
        ada(),
        { email: 'not an address' },
        ada({ email: 'bob@example.com' }),
        { email: 'eve@example.com' },
      ],
    })
    expect(status).toBe(200)
    expect(body).toEqual({
      created: 2,
      updated: 0,
      unchanged: 0,
      rejected: 2,
      results: [
        { index: 0, outcome: 'created', user_id: (await account())?.id },
        { index: 1, outcome: 'rejected', reason: 'email: Invalid email address' },
        { index: 2, outcome: 'rejected', reason: 'external_id: is that of item 1' },
        { index: 3, outcome: 'created', user_id: expect.any(String) },
      ],
    })
    const audit =
      await fullStack.sql`select details from audit_logs where action = 'account.imported' order by id`
    expect(audit.map(({ details }) => details)).toEqual([
      { outcome: 'created', external_id: 'old-1', client_id: 'migration' },
      { outcome: 'created', external_id: null, client_id: 'migration' },
    ])
    expect(await fullStack.sql`select from mail_outbox`).toHaveLength(0)
  })

  test('200: a thousand accounts with metadata; 422 validation_failed: one more, none, another form', async () => {
    const metadata = { text: 'x'.repeat(4000) }
    const users = Array.from({ length: 1000 }, (_, n) => ({ email: `u${n}@example.com`, metadata }))
    expect((await send({ users })).body).toMatchObject({ created: 1000, rejected: 0 })
    expect((await send({ users: [...users, users[0]] })).status).toBe(422)
    for (const body of [{ users: [] }, { users: {} }, { accounts: [] }, []])
      expect((await send(body)).status).toBe(422)
  })

  test('200: the reason names ten unknown fields at most', async () => {
    const fields = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`field_${n}`, 1]))
    const { results } = await importUsers({ email: 'ada@example.com', ...fields })
    expect(results[0].reason.split('; ')).toHaveLength(10)
  })

  test('413 body_too_large: beyond 5 MiB, and other endpoints beyond 64 KiB', async () => {
    const users = [{ email: 'ada@example.com', metadata: { text: 'x'.repeat(6_000_000) } }]
    expect(await send({ users })).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
    const response = await fullStack.originFetch('/internal/entitlements', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(token) },
      body: JSON.stringify({ user_ids: ['x'.repeat(70_000)] }),
    })
    expect(response.status).toBe(413)
  })

  test('403 scope_required: without the scope users.import; 401 token_missing: without a token', async () => {
    const other = await fullStack.serviceToken(await fullStack.client('reader', 'users.read'))
    expect(await send({ users: [ada()] }, bearer(other))).toMatchObject({
      status: 403,
      body: { code: 'scope_required', required_scope: 'users.import' },
    })
    expect(await send({ users: [ada()] }, {})).toMatchObject({ status: 401, body: { code: 'token_missing' } })
    expect(await account()).toBeUndefined()
  })

  test.each(['admin', 'superadmin'])('200: a service gives nobody the role %s', async (role) => {
    expect(await importUsers(ada({ role }))).toMatchObject({
      rejected: 1,
      results: [{ reason: `role: ${role} is above what this import may give` }],
    })
    expect(await account()).toBeUndefined()
  })

  test('200: nor does it change an account that has such a role by now, its password least of all', async () => {
    await importUsers(ada())
    await fullStack.sql`update user_accounts set role_id = (select id from roles where name = 'admin')`
    expect(await importUsers(ada())).toMatchObject({ unchanged: 1 })
    expect(await importUsers(ada({ password_hash: otherHash }))).toMatchObject({
      results: [{ reason: 'role: the account is admin, above what this import may change' }],
    })
    expect(await account()).toMatchObject({ role: 'admin', password_hash: `foreign:${hash}` })
  })
})

describe('an import of accounts that exist', () => {
  test('changes nothing when it comes again', async () => {
    const users = [
      ada({ plan: 'pro', metadata: { b: 1, a: [1, { c: null }] }, totp_secret: 'JBSWY3DPEHPK3PXP' }),
    ]
    await importUsers(...users)
    const before =
      await fullStack.sql`select * from user_accounts, user_subscriptions, account_imports, totp_secrets`
    expect(await importUsers(...users)).toMatchObject({ unchanged: 1, results: [{ outcome: 'unchanged' }] })
    expect(
      await fullStack.sql`select * from user_accounts, user_subscriptions, account_imports, totp_secrets`,
    ).toEqual(before)
    expect(await fullStack.sql`select from audit_logs where action = 'account.imported'`).toHaveLength(1)
  })

  test('applies what the former system has changed; tokens of before are stale', async () => {
    await importUsers(ada())
    const next = ada({
      email: 'ada@example.org',
      email_verified: true,
      display_name: 'Ada',
      role: 'subscriber',
      plan: 'pro',
      period_ends_at: '2999-01-01T00:00:00Z',
      metadata: { vip: true },
      password_hash: otherHash,
      totp_secret: 'JBSWY3DPEHPK3PXP',
    })
    expect(await importUsers(next)).toMatchObject({ updated: 1 })
    const changed = await account('ada@example.org')
    expect(changed).toMatchObject({
      external_id: 'old-1',
      verified: true,
      display_name: 'Ada',
      role: 'subscriber',
      status: 'active',
      metadata: { vip: true },
      password_hash: `foreign:${otherHash}`,
      plan: 'pro',
    })
    expect(await fullStack.sql`select from totp_secrets`).toHaveLength(1)
    expect(await fullStack.sql`select from user_subscriptions`).toHaveLength(2)
    expect((await fullStack.sql`select scope, subject from revocations`)[0]).toEqual({
      scope: 'user',
      subject: changed?.id,
    })
    const [audited] =
      await fullStack.sql`select details from audit_logs where details ->> 'outcome' = 'updated'`
    expect(audited?.details).toMatchObject({
      fields: expect.arrayContaining(['email', 'email_verified', 'password', 'role', 'totp_secret']),
      before: { role: 'user', subscription: { plan: 'free' } },
      after: {
        role: 'subscriber',
        subscription: { plan: 'pro', period_ends_at: '2999-01-01T00:00:00.000Z' },
      },
    })
    expect(JSON.stringify(audited)).not.toContain('example.org')
    expect(await importUsers(next)).toMatchObject({ unchanged: 1 })
  })

  // The former system still runs, and its last export before the switch is imported over the first.
  test('keeps what was changed here since, field by field: a native password most of all', async () => {
    await importUsers(ada())
    await fullStack.login('ada@example.com', password)
    const native = (await account())?.password_hash
    expect(native).toMatch(/^\$2b\$10\$/)
    await fullStack.sql`
      update user_accounts set display_name = 'Countess', status = 'disabled', email_verified_at = now()`
    const next = {
      password_hash: otherHash,
      display_name: 'Ada',
      plan: 'pro',
      status: 'active',
      email_verified: false,
    }
    expect(await importUsers(ada(next))).toMatchObject({ updated: 1 })
    expect(await account()).toMatchObject({
      password_hash: native,
      display_name: 'Countess',
      status: 'disabled',
      verified: true,
      plan: 'pro',
    })
    expect(await importUsers(ada(next))).toMatchObject({ unchanged: 1 })
  })

  test('ends the sessions of an account that the former system has disabled', async () => {
    await importUsers(ada())
    await fullStack.login('ada@example.com', password)
    expect(await importUsers(ada({ status: 'disabled' }))).toMatchObject({ updated: 1 })
    expect(await fullStack.sql`select end_reason from sessions`).toEqual([{ end_reason: 'account_locked' }])
    expect((await fullStack.post('/auth/login', { email: 'ada@example.com', password })).status).toBe(401)
  })

  // A former address may belong to another person by now.
  test('voids mailed links with the address or the password that they were made for', async () => {
    const [old, next] = ['ada@example.com', 'ada@example.org']
    const links = { verify: '/auth/email/verify', reset: '/auth/password/reset' }
    await importUsers(ada())
    await fullStack.post('/auth/email/resend', { email: old })
    const verification = await fullStack.mailedToken(old)
    await fullStack.post('/auth/password/forgot', { email: old })
    const reset = await fullStack.mailedToken(old)
    expect(await importUsers(ada({ display_name: 'Ada' }))).toMatchObject({ updated: 1 })
    expect(await fullStack.sql`select from tokens where spent_at is null`).toHaveLength(2)

    expect(await importUsers(ada({ email: next, display_name: 'Ada' }))).toMatchObject({ updated: 1 })
    expect((await fullStack.post(links.verify, { token: verification, password })).status).toBe(400)
    const change = { token: reset, password: 'staple of another kind' }
    expect((await fullStack.post(links.reset, change)).status).toBe(400)
    expect(await account(next)).toMatchObject({ verified: false, password_hash: `foreign:${hash}` })

    await fullStack.post('/auth/password/forgot', { email: next })
    const later = { ...change, token: await fullStack.mailedToken(next) }
    await importUsers(ada({ email: next, display_name: 'Ada', password_hash: otherHash }))
    expect((await fullStack.post(links.reset, later)).status).toBe(400)
    expect(await account(next)).toMatchObject({ password_hash: `foreign:${otherHash}` })
  })

  test('finds them by the external id, or by the address in any letter case where one has none', async () => {
    await importUsers({ email: 'ada@example.com' })
    expect(await importUsers(ada({ email: 'ADA@example.com', password_hash: null }))).toMatchObject({
      updated: 1,
    })
    expect(await account('ADA@example.com')).toMatchObject({ external_id: 'old-1' })
    expect(await importUsers({ email: 'ADA@example.com' })).toMatchObject({ unchanged: 1 })
    expect(await fullStack.sql`select from user_accounts`).toHaveLength(1)
  })

  test.each([
    [
      'the address belongs to another account',
      { external_id: 'old-2', email: 'ada@example.com' },
      'email: another',
    ],
    [
      'the account of the address has another external id',
      { external_id: 'new', email: 'ada@example.com' },
      'external_id: the',
    ],
    // Its owner may be anybody: an attacker who registers a victim's address before the switch.
    [
      'the address was registered here',
      { external_id: 'new', email: 'eve@example.com' },
      'email: the address was registered here',
    ],
  ])('rejects a row where %s', async (_, row, reason) => {
    await importUsers(ada(), { external_id: 'old-2', email: 'bob@example.com' })
    await fullStack.post('/auth/register', { email: 'eve@example.com', password })
    const before = await fullStack.sql`select * from user_accounts order by id`
    expect(await importUsers(row)).toMatchObject({
      rejected: 1,
      results: [{ outcome: 'rejected', reason: expect.stringContaining(reason) }],
    })
    expect(await fullStack.sql`select * from user_accounts order by id`).toEqual(before)
  })

  test('takes turns with others: ten at once make one account, and registrations one of theirs', async () => {
    const imports = Array.from({ length: 10 }, () => importUsers(ada(), { email: 'bob@example.com' }))
    const registrations = Array.from({ length: 3 }, () =>
      fullStack.post('/auth/register', { email: 'Bob@example.com', password }),
    )
    const outcomes = await Promise.all(imports)
    for (const { status } of await Promise.all(registrations)) expect(status).toBe(202)
    expect(
      outcomes.reduce((sum, { created, unchanged, rejected }) => sum + created + unchanged + rejected, 0),
    ).toBe(20)
    expect(await fullStack.sql`select from user_accounts`).toHaveLength(2)
    expect(await fullStack.sql`select from user_subscriptions where ended_at is null`).toHaveLength(2)
  })
})

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

let accounts = 0
async function register(into = fullStack) {
  accounts += 1
  const email = `person${accounts}@example.com`
  expect((await into.post('/auth/register', { email, password })).status).toBe(202)
  return { email, token: await into.mailedToken(email) }
}

const verify = (token: string, into = fullStack, attempt = password) =>
  into.post('/auth/email/verify', { token, password: attempt })

async function expectInvalid(answer: Response) {
  expect(answer.status).toBe(400)
  expect((await problem(answer)).code).toBe('link_invalid')
}

const isVerified = async (email: string) =>
  (await fullStack.sql`select from user_accounts where email = ${email} and email_verified_at is not null`)
    .length === 1

describe('POST /auth/register', () => {
  test('mails a link, of which only the SHA-256 is stored, for a day', async () => {
    const { token } = await register()
    expect(
      await fullStack.sql`
      select kind, extract(epoch from expires_at - created_at)::int as life_seconds from tokens
      where token_hash = ${createHash('sha256').update(token).digest()}`,
    ).toEqual([{ kind: 'email_verification', life_seconds: 86_400 }])
  })

  test('notifies the owner of a taken address, and mails no link', async () => {
    const { email } = await register()
    await fullStack.post('/auth/register', { email: email.toUpperCase(), password })
    const told = (await fullStack.mails(email)).slice(-1)
    expect(told.map(({ subject }) => subject)).toEqual([expect.stringContaining('have an account')])
    expect(told[0]?.text).not.toContain('#token=')
  })

  // A caller who knows an address could otherwise fill its mailbox.
  test('notifies the owner once a day, however often the address is registered', async () => {
    const { email } = await register()
    const before = (await fullStack.mails(email)).length
    await Promise.all(Array.from({ length: 20 }, () => fullStack.post('/auth/register', { email, password })))
    const told = async () =>
      (
        await fullStack.sql`
      select from audit_logs where details ->> 'owner_told' = 'true' and user_id = (
        select id from user_accounts where email = ${email})`
      ).length
    expect(await told()).toBe(1)
    expect(await fullStack.mails(email)).toHaveLength(before + 1)
    await fullStack.sql`update audit_logs set created_at = created_at - interval '1 day'`
    await fullStack.post('/auth/register', { email, password })
    expect(await told()).toBe(2)
  })
})

describe('POST /auth/email/verify', () => {
  test('204: the address is verified, with an audit row, and the profile says so', async () => {
    const { email, token } = await register()
    const { access_token } = await fullStack.login(email, password)
    expect((await verify(token)).status).toBe(204)
    const me = await fullStack.call('/v1/me', { headers: bearer(access_token) })
    expect(await me.json()).toMatchObject({ email, email_verified: true })
    expect(
      await fullStack.sql`
      select action, audit_logs.xmin = account.xmin as one_commit
      from audit_logs join user_accounts account on account.id = user_id
      where email = ${email} and action = 'account.email_verified'`,
    ).toEqual([{ action: 'account.email_verified', one_commit: true }])
  })

  test('400 link_invalid: a second time', async () => {
    const { token } = await register()
    await verify(token)
    await expectInvalid(await verify(token))
  })

  test('204: of five at once with one link one wins', async () => {
    const { token } = await register()
    const answers = await Promise.all(Array.from({ length: 5 }, () => verify(token)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, ...Array(4).fill(400)])
  })

  test('400 link_invalid: one that expired', async () => {
    const { email, token } = await register()
    await fullStack.sql`update tokens set expires_at = now()`
    await expectInvalid(await verify(token))
    expect(await isVerified(email)).toBe(false)
  })

  // A link mailed for one purpose must not serve another.
  test('400 link_invalid: a reset link verifies nothing this way, and a verification link resets nothing', async () => {
    const { email, token } = await register()
    await expectInvalid(
      await fullStack.post('/auth/password/reset', { token, password: 'tundra vowel kiosk' }),
    )
    await fullStack.post('/auth/password/forgot', { email })
    await expectInvalid(await verify(await fullStack.mailedToken(email)))
    expect(await isVerified(email)).toBe(false)
  })

  test('400 link_invalid: one that was never mailed', async () => {
    await expectInvalid(await verify('A'.repeat(43)))
  })

  test('400 link_invalid: that of an account that was locked meanwhile', async () => {
    const { email, token } = await register()
    await fullStack.sql`update user_accounts set status = 'disabled' where email = ${email}`
    await expectInvalid(await verify(token))
    expect(await isVerified(email)).toBe(false)
  })

  async function expectWrong(answer: Response) {
    expect(answer.status).toBe(403)
    expect((await problem(answer)).code).toBe('password_wrong')
  }

  test('403 password_wrong, or 422 without one: with a wrong one, which is audited and leaves the link good', async () => {
    const { email, token } = await register()
    const answer = await fullStack.post('/auth/email/verify', { token })
    expect(answer.status).toBe(422)
    await expectWrong(await verify(token, fullStack, 'wrong'))
    expect(await isVerified(email)).toBe(false)
    expect(
      await fullStack.sql`
      select action, actor_id, details from audit_logs
      where user_id = (select id from user_accounts where email = ${email}) and action like '%verif%'`,
    ).toEqual([
      { action: 'account.verification_refused', actor_id: null, details: { reason: 'wrong_password' } },
    ])
    expect((await verify(token)).status).toBe(204)
  })

  test('403 password_wrong: after five wrong ones the right one too, by this link alone, and no login is locked', async () => {
    const { email, token } = await register()
    for (let tries = 0; tries < 5; tries++) await expectWrong(await verify(token, fullStack, 'wrong'))
    await expectWrong(await verify(token))
    expect(await isVerified(email)).toBe(false)
    expect((await fullStack.post('/auth/login', { email, password })).status).toBe(200)
  })
})

/**
 * Pre-hijacking (Sudhodanan and Paverd, 2022): an attacker registers a victim's address with his
 * own password, signs in, and waits until the victim uses the account.
 */
describe('an account that another person registered with my address', () => {
  const mine = 'tundra vowel kiosk'

  async function hijack() {
    const { email, token } = await register()
    return { email, token, theirs: await fullStack.login(email, password) }
  }

  test('403 password_wrong: opening its mailed link with a password of my own does not verify it', async () => {
    const { email, token } = await hijack()
    expect((await fullStack.post('/auth/register', { email, password: mine })).status).toBe(202)
    expect((await verify(token, fullStack, mine)).status).toBe(403)
    expect(await isVerified(email)).toBe(false)
  })

  test('204: my reset link takes it over, and leaves them neither session, device, password nor link', async () => {
    const { email, token, theirs } = await hijack()
    await fullStack.post('/auth/password/forgot', { email })
    const reset = { token: await fullStack.mailedToken(email), password: mine }
    expect((await fullStack.post('/auth/password/reset', reset)).status).toBe(204)
    await fullStack.syncRevocations()
    const refused = await fullStack.call('/v1/me', { headers: bearer(theirs.access_token) })
    expect((await problem(refused)).code).toBe('session_ended')
    expect((await fullStack.post('/auth/refresh', { refresh_token: theirs.refresh_token })).status).toBe(401)
    expect((await fullStack.post('/auth/login', { email, password })).status).toBe(401)
    expect((await verify(token)).status).toBe(403)
    expect(await isVerified(email)).toBe(true)
    await fullStack.login(email, mine)
  })
})

describe('POST /auth/login with REQUIRE_VERIFIED_EMAIL', () => {
  let strict: FullStack
  beforeAll(async () => {
    strict = await createFullStack({
      environment: { ...highLimits, REQUIRE_VERIFIED_EMAIL: 'true' },
      remains: fullStack.remains,
    })
  })
  afterAll(() => strict.close())

  const login = (email: string, attempt = password) =>
    strict.post('/auth/login', { email, password: attempt })

  const reasons = async (email: string) =>
    (await fullStack.sql`select reason from login_attempts where email = ${email}`).map(
      ({ reason }) => reason,
    )

  test('403 email_unverified: the right password mails a new link, which enables the login', async () => {
    const { email, token: first } = await register(strict)
    const answer = await login(email)
    expect(answer.status).toBe(403)
    expect((await problem(answer)).code).toBe('email_unverified')
    expect(answer.headers.getSetCookie()).toEqual([])
    expect(await reasons(email)).toEqual(['email_unverified'])
    expect(
      await fullStack.sql`select from sessions join user_accounts account on account.id = user_id
      where email = ${email}`,
    ).toHaveLength(0)
    const second = await strict.mailedToken(email)
    expect(second).not.toBe(first)
    expect((await verify(second, strict)).status).toBe(204)
    expect((await login(email)).status).toBe(200)
  })

  // Otherwise trying addresses reveals which of them have an account.
  test('401 invalid_credentials: a wrong password does not reveal that, and no mail is sent', async () => {
    const { email } = await register(strict)
    const answer = await login(email, 'wrong')
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('invalid_credentials')
    expect(await strict.mails(email)).toHaveLength(1)
  })

  test('403 email_unverified: repeated logins mail at most three valid links and start no lockout', async () => {
    const { email } = await register(strict)
    for (let tries = 0; tries < 7; tries++) expect((await login(email)).status).toBe(403)
    expect(await strict.mails(email)).toHaveLength(3)
  })

  test('200: after a reset, as its link proves the address too', async () => {
    const { email } = await register(strict)
    await strict.post('/auth/password/forgot', { email })
    const token = await strict.mailedToken(email)
    const nextPassword = 'tundra vowel kiosk'
    expect((await strict.post('/auth/password/reset', { token, password: nextPassword })).status).toBe(204)
    expect((await login(email, nextPassword)).status).toBe(200)
  })
})

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
async function register() {
  accounts += 1
  const email = `person${accounts}@example.com`
  await fullStack.post('/auth/register', { email, password })
  return { email, token: await fullStack.mailedToken(email) }
}

const resend = (email: string, init: Parameters<FullStack['post']>[2] = {}) =>
  fullStack.post('/auth/email/resend', { email }, init)

const links = async (email: string) =>
  (await fullStack.mails(email)).filter(({ text }) => text.includes('/verify-email#token='))

describe('POST /auth/email/resend', () => {
  test('202: another link, which verifies; REQUIRE_VERIFIED_EMAIL is not set', async () => {
    const { email, token } = await register()
    const answer = await resend(email.toUpperCase())
    expect({ status: answer.status, body: await answer.json() }).toEqual({
      status: 202,
      body: { status: 'accepted' },
    })
    expect(await links(email)).toHaveLength(2)
    const second = await fullStack.mailedToken(email)
    expect(second).not.toBe(token)
    expect((await fullStack.post('/auth/email/verify', { token: second, password })).status).toBe(204)
  })

  // The mail of the registration was dropped, as the mail server was down for a day.
  test('202: a link after the first one has expired', async () => {
    const { email } = await register()
    await fullStack.sql`update tokens set expires_at = now() where user_id = (
      select id from user_accounts where email = ${email})`
    await resend(email)
    const { access_token } = await fullStack.login(email, password)
    await fullStack.post('/auth/email/verify', { token: await fullStack.mailedToken(email), password })
    const me = await fullStack.call('/v1/me', { headers: bearer(access_token) })
    expect(await me.json()).toMatchObject({ email_verified: true })
  })

  test('202 alike for no account, a verified one and a disabled one, none of which gets a mail', async () => {
    const verified = await register()
    await fullStack.post('/auth/email/verify', { token: verified.token, password })
    const disabled = await register()
    await fullStack.sql`update user_accounts set status = 'disabled' where email = ${disabled.email}`
    const fresh = await register()
    const emails = ['nobody@example.com', verified.email, disabled.email, fresh.email]
    const before = await Promise.all(emails.map(async (email) => (await fullStack.mails(email)).length))
    const answers = await Promise.all(
      emails.map(async (email) => {
        const answer = await resend(email)
        const told = [...answer.headers].filter(([name]) => !/^(x-request-id|ratelimit|date)/.test(name))
        return JSON.stringify([answer.status, told, await answer.json()])
      }),
    )
    expect(new Set(answers).size).toBe(1)
    const after = await Promise.all(emails.map(async (email) => (await fullStack.mails(email)).length))
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([0, 0, 0, 1])
  })

  // The response time must not reveal an account either.
  test('202 before the account has been looked up', async () => {
    const { email } = await register()
    await fullStack.sql.begin(async (transaction) => {
      await transaction`select from user_accounts where email = ${email} for update`
      expect((await resend(email)).status).toBe(202)
    })
    expect(await links(email)).toHaveLength(2)
  })

  test('three links are valid at a time, however often the endpoint is called', async () => {
    const { email } = await register()
    await Promise.all(Array.from({ length: 20 }, () => resend(email)))
    expect(await links(email)).toHaveLength(3)
  })

  test('an audit row each, with whom it concerns', async () => {
    const { email } = await register()
    await resend(email)
    await resend('somebody.else@example.com')
    await fullStack.mails(email)
    expect(
      await fullStack.sql`
        select email from audit_logs left join user_accounts on user_accounts.id = user_id
        where action = 'account.verification_requested' and audit_logs.id > (
          select max(id) - 2 from audit_logs where action = 'account.verification_requested')
        order by audit_logs.id desc limit 2`,
    ).toEqual(expect.arrayContaining([{ email }, { email: null }]))
  })

  test('422 validation_failed: no address', async () => {
    const answer = await resend('ada')
    expect(answer.status).toBe(422)
    expect(await problem(answer)).toMatchObject({ errors: [{ pointer: '/email' }] })
  })

  test('429 rate_limited: repeated calls from one address', async () => {
    const limited = await createFullStack({ environment: { LIMIT_MAIL_REQUESTS: '3' } })
    const statuses: number[] = []
    for (let count = 0; count < 4; count++) {
      statuses.push((await limited.post('/auth/email/resend', { email: `x${count}@example.com` })).status)
    }
    expect(statuses).toEqual([202, 202, 202, 429])
    await limited.close()
  })
})

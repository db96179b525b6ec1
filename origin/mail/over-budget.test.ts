import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { metricValues } from '../../test/support/metric-values.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, LIMIT_RECIPIENT_MAILS: '2', LIMIT_SENDER_MAILS: '4' },
  })
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate limit_counters, rate_limit_logs`)

/** An account without a registration, which would have a mail sent. */
const insertAccount = (email: string) => fullStack.sql`
  insert into user_accounts (email, password_hash, role_id, email_verified_at)
  select ${email}, 'x', id, now() from roles where name = 'user'`

const forgot = (email: string, address = '203.0.113.7') =>
  fullStack.post('/auth/password/forgot', { email }, { address })

const mailCount = async (email: string) => (await fullStack.mails(email)).length

test('202 alike within the budget of a mailbox, over it and without an account; operators see what was dropped', async () => {
  await insertAccount('ada@example.com')
  await insertAccount('bob@example.com')
  for (let times = 0; times < 2; times++) await forgot('ada@example.com')
  expect(await mailCount('ada@example.com')).toBe(2)

  const seen = []
  for (const email of ['ada@example.com', 'bob@example.com', 'nobody@example.com']) {
    const answer = await forgot(email)
    const headers = Object.fromEntries(answer.headers)
    delete headers['x-request-id']
    delete headers.ratelimit
    seen.push({ status: answer.status, body: await answer.json(), headers })
  }
  expect(seen[0]?.status).toBe(202)
  expect(seen[1]).toEqual(seen[0])
  expect(seen[2]).toEqual(seen[0])
  expect(await mailCount('ada@example.com')).toBe(2)
  expect(await mailCount('bob@example.com')).toBe(1)

  await fullStack.rejectionsFlushed()
  expect(
    await fullStack.sql`select limit_class, limit_key, method, route, refused from rate_limit_logs`,
  ).toEqual([
    {
      limit_class: 'mail_recipient',
      limit_key: 'ada@example.com',
      method: 'MAIL',
      route: 'reset_password',
      refused: 1,
    },
  ])
  const { value } = await metricValues(fullStack.originRegistry)
  expect(value('gatehouse_origin_mails_total', { outcome: 'over_budget' })).toBe(1)
  expect(value('gatehouse_origin_limited_total', { limit: 'mail_recipient' })).toBe(1)
  const logged = fullStack.logs.origin.find(({ msg }) => msg === 'mail dropped: over its budget')
  expect(logged).toMatchObject({ recipient_domain: 'example.com', limit: 'mail_recipient' })
  expect(JSON.stringify(logged)).not.toContain('ada')
})

test('a dropped mail takes its link along: the next request within the budget sends one', async () => {
  await insertAccount('eve@example.com')
  const counted = await fullStack.sql`select * from limit_counters`
  expect(counted).toEqual([])
  // Three links of a kind may live. Those of dropped mails would be among them for half an hour.
  for (let times = 0; times < 5; times++) await forgot('eve@example.com')
  expect(await mailCount('eve@example.com')).toBe(2)
  expect(
    await fullStack.sql`select from tokens where kind = 'password_reset' and user_id = (
    select id from user_accounts where email = 'eve@example.com')`,
  ).toHaveLength(2)
  await fullStack.sql`truncate limit_counters`
  await forgot('eve@example.com')
  expect(await mailCount('eve@example.com')).toBe(3)
})

test('a mail is counted once, at its first attempt, by the address of the request', async () => {
  await insertAccount('joe@example.com')
  await forgot('joe@example.com', '198.51.100.9')
  await mailCount('joe@example.com')
  const rows =
    await fullStack.sql`select split_part(key, ':', 3) as name, points from limit_counters order by 1`
  expect(rows).toEqual([
    { name: 'mail_domain', points: 1 },
    { name: 'mail_recipient', points: 1 },
    { name: 'mail_sender', points: 1 },
  ])
})

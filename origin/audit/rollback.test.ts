import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let spent: TokenResponse
let live: TokenResponse
let resetToken: string
let verifyToken: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  spent = (await fullStack.signUp('ada@example.com', password)).tokens
  live = (await (
    await fullStack.post('/auth/refresh', { refresh_token: spent.refresh_token })
  ).json()) as TokenResponse
  await fullStack.sql`update tokens set spent_at = now() - interval '1 minute' where spent_at is not null`
  verifyToken = await fullStack.mailedToken('ada@example.com')
  await fullStack.post('/auth/password/forgot', { email: 'ada@example.com' })
  resetToken = await fullStack.mailedToken('ada@example.com')
  await fullStack.sql`
    create function refuse_audit() returns trigger language plpgsql as $$
    begin raise exception 'the audit log is full of secrets'; end $$`
  await fullStack.sql`
    create trigger refuse_audit before insert on audit_logs for each row execute function refuse_audit()`
})
afterAll(() => fullStack.close())

/** Every row that a request could have changed. */
async function everything() {
  const tables = [
    'user_accounts',
    'user_subscriptions',
    'login_attempts',
    'sessions',
    'tokens',
    'audit_logs',
    'revocations',
    'mail_outbox',
  ]
  const rows = tables.map((table) => fullStack.sql`select * from ${fullStack.sql(table)} order by id`)
  return Promise.all([
    ...rows,
    fullStack.sql`select address_hash, device_id from login_counters where locked_at is not null`,
  ])
}

let before: unknown
beforeEach(async () => {
  before = await everything()
})

async function expectNothingDone(answer: Response) {
  expect(answer.status).toBe(500)
  const refusal = await problem(answer)
  expect(refusal.code).toBe('internal_error')
  expect(JSON.stringify(refusal)).not.toContain('audit')
  expect(await everything()).toEqual(before)
}

// An action without an audit row is rolled back: otherwise an attacker who fills the disk works
// unseen.
describe('500 internal_error, and nothing half-written, where the audit row cannot be:', () => {
  test('POST /auth/register makes no account', async () => {
    await expectNothingDone(await fullStack.post('/auth/register', { email: 'bob@example.com', password }))
  })

  test('POST /auth/login opens no session', async () => {
    await expectNothingDone(await fullStack.post('/auth/login', { email: 'ada@example.com', password }))
  })

  test('POST /auth/login records no attempt with a wrong password', async () => {
    await expectNothingDone(
      await fullStack.post('/auth/login', { email: 'ada@example.com', password: 'wrong' }),
    )
  })

  test('POST /auth/refresh with a spent token ends no session', async () => {
    await expectNothingDone(await fullStack.post('/auth/refresh', { refresh_token: spent.refresh_token }))
  })

  test('POST /auth/logout ends no session', async () => {
    await expectNothingDone(await fullStack.post('/auth/logout', { refresh_token: live.refresh_token }))
  })

  test('POST /auth/logout everywhere ends no session', async () => {
    const body = { refresh_token: live.refresh_token, everywhere: true }
    await expectNothingDone(await fullStack.post('/auth/logout', body))
  })

  test('DELETE /auth/sessions/{id} ends no session', async () => {
    const { sid } = decodeJwt(live.access_token)
    await expectNothingDone(await remove(`/auth/sessions/${sid}`))
  })

  test('DELETE /auth/sessions ends no session', async () => {
    await fullStack.sql`
      insert into sessions (user_id, expires_at) select id, now() + interval '1 day' from user_accounts`
    before = await everything()
    await expectNothingDone(await remove('/auth/sessions'))
  })

  // The tries stay counted, else whoever can break the trail could guess without end; the lock
  // itself, and its mail, are undone.
  test('POST /auth/login does not lock with the fifth wrong password', async () => {
    for (let tries = 0; tries < 5; tries++) {
      await expectNothingDone(
        await fullStack.post('/auth/login', { email: 'ada@example.com', password: 'wrong' }),
      )
    }
    await fullStack.sql`truncate login_counters`
  })

  test('POST /auth/password changes no password', async () => {
    await expectNothingDone(await change(password))
  })

  test('POST /auth/password with a wrong current one', async () => {
    await expectNothingDone(await change('wrong'))
  })

  test('POST /auth/password/forgot makes no link and no mail, and the request is kept for later', async () => {
    expect((await fullStack.post('/auth/password/forgot', { email: 'ada@example.com' })).status).toBe(202)
    await expect
      .poll(() => fullStack.logs.origin.filter(({ msg }) => msg === 'mail relay failed').length)
      .toBeGreaterThan(0)
    expect(await everything()).toEqual(before)
    expect(await fullStack.sql`select from reset_requests`).toHaveLength(1)
    await fullStack.sql`delete from reset_requests`
  })

  test('POST /auth/password/reset changes no password, and the link stays good', async () => {
    const body = { token: resetToken, password: 'tundra vowel kiosk' }
    await expectNothingDone(await fullStack.post('/auth/password/reset', body))
  })

  test('POST /auth/email/verify with a wrong password', async () => {
    await expectNothingDone(
      await fullStack.post('/auth/email/verify', { token: verifyToken, password: 'wrong' }),
    )
  })

  test('POST /auth/email/verify verifies nothing, and the link stays good', async () => {
    await expectNothingDone(await fullStack.post('/auth/email/verify', { token: verifyToken, password }))
  })
})

const remove = (path: string) =>
  fullStack.call(path, { method: 'DELETE', headers: bearer(live.access_token) })

const change = (currentPassword: string) =>
  fullStack.post(
    '/auth/password',
    { current_password: currentPassword, new_password: 'tundra vowel kiosk' },
    { headers: bearer(live.access_token) },
  )

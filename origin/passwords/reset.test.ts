import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forceRace, untilOneWaits } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { postOrigin, sameToAReader } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'
const nextPassword = 'tundra vowel kiosk'

let fullStack: FullStack
let userId: string
let hash: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  for (const address of [email, 'disabled@example.com'])
    await fullStack.post('/auth/register', { email: address, password })
  await fullStack.sql`update user_accounts set status = 'disabled' where email = 'disabled@example.com'`
  const [row] = await fullStack.sql<[{ id: string; password_hash: string }]>`
    select id, password_hash from user_accounts where email = ${email}`
  userId = row.id
  hash = row.password_hash
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`update user_accounts set password_hash = ${hash}, email_verified_at = null where id = ${userId}`
  await fullStack.sql`truncate tokens, login_counters, sessions, audit_logs, revocations cascade`
})

const forgot = (address = email) => fullStack.post('/auth/password/forgot', { email: address })

const reset = (token: string, newPassword = nextPassword) =>
  fullStack.post(
    '/auth/password/reset',
    { token, password: newPassword },
    { headers: { 'x-request-id': 'reset-00001' } },
  )

const loginStatus = async (attempt: string) =>
  (await fullStack.post('/auth/login', { email, password: attempt })).status

async function mailedToken() {
  expect((await forgot()).status).toBe(202)
  return fullStack.mailedToken(email)
}

async function expectInvalid(answer: Response) {
  expect(answer.status).toBe(400)
  expect((await problem(answer)).code).toBe('link_invalid')
}

const resetMails = async (address = email) =>
  (await fullStack.mails(address)).filter(({ subject }) => subject.startsWith('Choose a new password'))

const links = () => fullStack.sql`select spent_at from tokens where kind = 'password_reset'`

describe('POST /auth/password/forgot', () => {
  // The response does not tell whether an address has an account.
  test('202: known, unknown and disabled give the same status, headers and body; one is mailed', async () => {
    const before = await resetMails()
    const answers = await Promise.all(
      [email, 'nobody@example.com', 'disabled@example.com'].map(async (address) =>
        sameToAReader(await postOrigin(fullStack, '/auth/password/forgot', { email: address })),
      ),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(answers[0]).toMatchObject({ status: 202, body: { status: 'accepted' } })
    expect(await resetMails()).toHaveLength(before.length + 1)
    expect(await resetMails('nobody@example.com')).toEqual([])
    expect(await resetMails('disabled@example.com')).toEqual([])
    expect(
      await fullStack.sql`
      select user_id from audit_logs where action = 'password.reset_requested' order by user_id`,
    ).toEqual([{ user_id: userId }, { user_id: null }, { user_id: null }])
  })

  // A lookup, or a row that only an account gets, would show in the time.
  test('202: known and unknown addresses get a response before any account is looked up', async () => {
    let asked: Promise<Response>[] = []
    await forceRace(fullStack, {
      at: 'lock table user_accounts in access exclusive mode',
      requests: () => {
        asked = [email, 'nobody@example.com'].map((address) => forgot(address))
        return asked
      },
      waiting: 1,
      whileWaiting: async () => {
        expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([202, 202])
      },
    })
    await resetMails()
  })

  test('202: the address in any letter case; the mail goes to the one of the account', async () => {
    const before = await resetMails()
    expect((await forgot('ADA@Example.com')).status).toBe(202)
    expect(await resetMails()).toHaveLength(before.length + 1)
  })

  test('only the SHA-256 of the link’s 256 bits is stored, for half an hour', async () => {
    const token = await mailedToken()
    expect(token).toMatch(/^[\w-]{43}$/)
    const [row] = await fullStack.sql`
      select token_hash, extract(epoch from expires_at - created_at)::int as life_seconds, tokens::text as everything
      from tokens where kind = 'password_reset'`
    expect(row).toMatchObject({ life_seconds: 1800 })
    expect(row?.token_hash).toEqual(createHash('sha256').update(token).digest())
    expect(row?.everything).not.toContain(token)
  })

  // Repeated requests would fill a mailbox; concurrent ones would each count only the earlier
  // links.
  test('202: ten times, one after the other or at once, makes three live links', async () => {
    const before = (await resetMails()).length
    const answers = await Promise.all(Array.from({ length: 10 }, () => forgot()))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    expect(await resetMails()).toHaveLength(before + 3)
    await forgot()
    expect(await resetMails()).toHaveLength(before + 3)
    expect(await links()).toHaveLength(3)
    await fullStack.sql`update tokens set expires_at = now()`
    await forgot()
    expect(await resetMails()).toHaveLength(before + 4)
    expect(await links()).toHaveLength(4)
  })
})

describe('POST /auth/password/reset', () => {
  test('204: the new password works, the old one does not; its owner gets a mail, and the address is verified', async () => {
    expect((await reset(await mailedToken())).status).toBe(204)
    expect(await loginStatus(nextPassword)).toBe(200)
    expect(await loginStatus(password)).toBe(401)
    expect((await fullStack.mails(email)).at(-1)?.subject).toContain('changed')
    expect(await fullStack.sql`select from user_accounts where email_verified_at is not null`).toHaveLength(1)
  })

  test('204: all sessions end, with revocations and audit row, in one commit', async () => {
    const sessions = await Promise.all([fullStack.login(email, password), fullStack.login(email, password)])
    const token = await mailedToken()
    await fullStack.sql`truncate audit_logs`
    await reset(token)
    for (const { refresh_token } of sessions)
      expect((await fullStack.post('/auth/refresh', { refresh_token })).status).toBe(401)
    expect(await fullStack.sql`select from revocations where scope = 'session'`).toHaveLength(2)
    const by = { actor_id: userId, user_id: userId, request_id: 'reset-00001' }
    const trail = await fullStack.sql`
      select action, actor_id, user_id, request_id, details from audit_logs order by id`
    expect(trail).toEqual([
      { ...by, action: 'session.ended', details: { reason: 'password_reset', count: 2 } },
      { ...by, action: 'password.reset', details: {} },
    ])
    const [{ commits }] = await fullStack.sql<[{ commits: number }]>`
      select count(distinct xmin)::int as commits from (
        select xmin::text from user_accounts where id = ${userId}
        union all select xmin::text from sessions
        union all select xmin::text from revocations
        union all select xmin::text from audit_logs
      ) as written (xmin)`
    expect(commits).toBe(1)
  })

  test('204: unlocks the account for everybody', async () => {
    for (let tries = 0; tries < 5; tries++) await loginStatus('wrong')
    expect(await loginStatus(password)).toBe(401)
    expect((await reset(await mailedToken())).status).toBe(204)
    expect(await loginStatus(nextPassword)).toBe(200)
  })

  test('400 link_invalid: a second time, and any other link of the account', async () => {
    const [first, second] = [await mailedToken(), await mailedToken()]
    expect(first).not.toBe(second)
    expect((await reset(first)).status).toBe(204)
    for (const token of [first, second]) await expectInvalid(await reset(token, 'zebra vowel tunes'))
    expect(await loginStatus(nextPassword)).toBe(200)
  })

  test('400 link_invalid: after the password was changed otherwise', async () => {
    const token = await mailedToken()
    const { access_token } = await fullStack.login(email, password)
    const headers = { authorization: `Bearer ${access_token}` }
    const body = { current_password: password, new_password: nextPassword }
    expect((await fullStack.post('/auth/password', body, { headers })).status).toBe(204)
    await expectInvalid(await reset(token, 'zebra vowel tunes'))
  })

  const invalid: [string, () => Promise<string>][] = [
    ['that expired', () => changed(`update tokens set expires_at = now() where kind = 'password_reset'`)],
    ['of another kind', () => changed(`update tokens set kind = 'email_verification'`)],
    ['of an account that was disabled', () => changed(`update user_accounts set status = 'disabled'`)],
    ['that was never mailed', async () => 'A'.repeat(43)],
    [
      'that is the stored hash',
      async () =>
        createHash('sha256')
          .update(await mailedToken())
          .digest('base64url'),
    ],
  ]

  test.each(invalid)('400 link_invalid: one %s changes nothing', async (_, token) => {
    await expectInvalid(await reset(await token()))
    await fullStack.sql`update user_accounts set status = 'active' where id = ${userId}`
    expect(await loginStatus(password)).toBe(200)
  })

  async function changed(statement: string): Promise<string> {
    const token = await mailedToken()
    await fullStack.sql.unsafe(statement)
    return token
  }

  test('422 validation_failed: a weak password, with the reason; the link stays good', async () => {
    const token = await mailedToken()
    for (const weak of ['passwordpassword', 'short', 'ada@example.com is me']) {
      const answer = await reset(token, weak)
      expect(answer.status, weak).toBe(422)
      expect((await problem(answer)).errors?.map(({ pointer }) => pointer)).toEqual(['/password'])
    }
    expect((await reset(token)).status).toBe(204)
  })

  test('204: of ten at once with one link one wins', async () => {
    const token = await mailedToken()
    await expectOneWins(Array.from({ length: 10 }, () => token))
  })

  // Each has spent its own link and waits for the other's: the database would end one with an
  // error.
  test('204: of two at once with two links of one account one wins', async () => {
    await expectOneWins([await mailedToken(), await mailedToken()])
  })

  async function expectOneWins(tokens: string[]) {
    const passwords = tokens.map((_, index) => `tundra vowel kiosk ${index}`)
    const answers = await forceRace(fullStack, {
      at: 'lock table user_accounts in share row exclusive mode',
      requests: () => tokens.map((token, index) => reset(token, passwords[index])),
      waiting: tokens.length,
    })
    const statuses = answers.map(({ status }) => status)
    expect([...statuses].sort()).toEqual([204, ...Array(tokens.length - 1).fill(400)])
    const winner = passwords[statuses.indexOf(204)] ?? ''
    expect(await loginStatus(winner)).toBe(200)
  }

  // The thief has evaluated the password he knows when its owner resets it: no session of his may
  // outlive that.
  test('401: a login that was evaluated before the reset and would open its session after it', async () => {
    const token = await mailedToken()
    const answers = await forceRace(fullStack, {
      at: 'select from user_accounts for no key update',
      requests: () => [
        reset(token),
        untilOneWaits(fullStack).then(() => fullStack.post('/auth/login', { email, password })),
      ],
      waiting: 2,
    })
    expect(answers.map(({ status }) => status)).toEqual([204, 401])
    expect(await fullStack.sql`select from sessions where ended_at is null`).toHaveLength(0)
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { postOrigin, sameToAReader } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.post('/auth/register', { email, password })
})
beforeEach(() => fullStack.sql`truncate login_counters, login_attempts, audit_logs, sessions cascade`)
afterAll(() => fullStack.close())

const tryWith = async (attempt: string) =>
  (await fullStack.post('/auth/login', { email, password: attempt })).status

async function failTimes(times: number) {
  for (let index = 0; index < times; index++) expect(await tryWith('wrong')).toBe(401)
}

const attempts = async () =>
  (await fullStack.sql`select coalesce(reason, 'succeeded') as outcome from login_attempts order by id`).map(
    ({ outcome }) => outcome,
  )

/** The seconds are rounded to tens, as a test takes some itself. */
const counters = () =>
  fullStack.sql`
    select device_id, tries, locked_at is not null as locked,
      10 * round(extract(epoch from window_ends_at - now()) / 10)::int as ends_in_seconds
    from login_counters`

const lockouts = () => fullStack.sql`select user_id, details from audit_logs where action = 'account.locked'`

const lockoutMails = async () =>
  (await fullStack.mails(email)).filter(({ subject }) => subject.includes('locked'))

/** Ends all waiting times. */
const passTime = () => fullStack.sql`update login_counters set window_ends_at = now()`

describe('POST /auth/login, lockout', () => {
  test('401: the sixth attempt is rejected although its password is right, and each attempt is a row with the reason', async () => {
    await failTimes(5)
    expect(await tryWith(password)).toBe(401)
    expect(await attempts()).toEqual([...Array(5).fill('wrong_password'), 'account_locked'])
    expect(await fullStack.sql`select from sessions`).toHaveLength(0)
  })

  test('200: the fifth, where four were wrong; afterwards all five are left again', async () => {
    await failTimes(4)
    expect(await tryWith(password)).toBe(200)
    expect(await counters()).toEqual([])
    await failTimes(4)
    expect(await tryWith(password)).toBe(200)
  })

  // No response tells a caller who tries addresses which have an account, or which he has locked.
  test('401 invalid_credentials: locked, wrong and unknown give the same status, headers and body', async () => {
    const answer = async (body: object) => sameToAReader(await postOrigin(fullStack, '/auth/login', body))
    const wrong = await answer({ email, password: 'wrong' })
    const unknown = await answer({ email: 'nobody@example.com', password })
    await failTimes(4)
    const lockedWrong = await answer({ email, password: 'wrong' })
    const lockedRight = await answer({ email, password })
    expect(await attempts()).toContain('account_locked')
    expect(wrong).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } })
    for (const other of [unknown, lockedWrong, lockedRight]) expect(other).toEqual(wrong)
  })

  test('the fifth failure starts a lockout of 15 minutes: counter and audit row in one commit, and one mail', async () => {
    const mailsBefore = (await lockoutMails()).length
    await failTimes(5)
    expect(await counters()).toEqual([
      { device_id: expect.stringMatching(/^[0-]{36}$/), tries: 5, locked: true, ends_in_seconds: 900 },
    ])
    const [lock] = await fullStack.sql`
      select audit_logs.details, audit_logs.user_id, user_accounts.id,
        audit_logs.xmin = login_counters.xmin as one_commit,
        (details ->> 'until')::timestamptz - window_ends_at < interval '1 millisecond' as until_end
      from audit_logs, login_counters, user_accounts where action = 'account.locked'`
    expect(lock).toMatchObject({ one_commit: true, until_end: true, details: { known_device: false } })
    expect(lock?.user_id).toBe(lock?.id)
    expect(await lockouts()).toHaveLength(1)
    const mails = await lockoutMails()
    expect(mails).toHaveLength(mailsBefore + 1)
    expect(mails.at(-1)?.text).toContain('forgot password')
  })

  // The attack that counting afterwards would let through: fifty tries that are all under way
  // before the first is counted.
  test('of fifty wrong at once five are evaluated, and there is one audit row and one mail', async () => {
    const mailsBefore = (await lockoutMails()).length
    const answers = await forceRace(fullStack, {
      at: 'lock table login_counters in exclusive mode',
      requests: () => Array.from({ length: 50 }, (_, index) => tryWith(`wrong ${index}`)),
      waiting: 10,
    })
    // 503 is what a machine that is busy with something else sheds unseen.
    const refused = answers.filter((status) => status === 401)
    expect(answers.filter((status) => status !== 503)).toEqual(refused)
    expect((await attempts()).sort()).toEqual([
      ...Array(refused.length - 5).fill('account_locked'),
      ...Array(5).fill('wrong_password'),
    ])
    expect(await counters()).toMatchObject([{ tries: 5, locked: true }])
    expect(await lockouts()).toHaveLength(1)
    expect(await lockoutMails()).toHaveLength(mailsBefore + 1)
  })

  test('401: the right password as the last of fifty at once', async () => {
    const answers = await Promise.all([
      ...Array.from({ length: 49 }, (_, index) => tryWith(`wrong ${index}`)),
      tryWith(password),
    ])
    expect([401, 503]).toContain(answers.at(-1))
    expect((await attempts()).filter((outcome) => outcome === 'wrong_password')).toHaveLength(5)
  })

  test('200: once its time has passed; then five attempts are left again', async () => {
    await failTimes(5)
    await passTime()
    expect(await tryWith(password)).toBe(200)
    await failTimes(5)
    await passTime()
    await failTimes(4)
    expect(await counters()).toMatchObject([{ tries: 4, locked: false, ends_in_seconds: 900 }])
    expect(await tryWith(password)).toBe(200)
  })

  test('a second lockout, after the first has ended, is mailed again', async () => {
    const mailsBefore = (await lockoutMails()).length
    await failTimes(5)
    await passTime()
    await failTimes(5)
    expect(await lockouts()).toHaveLength(2)
    expect(await lockoutMails()).toHaveLength(mailsBefore + 2)
  })

  test('failures that are fifteen minutes old do not count any more', async () => {
    await failTimes(4)
    await passTime()
    await failTimes(4)
    expect(await tryWith(password)).toBe(200)
  })

  test('attempts during a lockout do not make it longer', async () => {
    await failTimes(5)
    await fullStack.sql`update login_counters set window_ends_at = now() + interval '1 minute'`
    const before = await fullStack.sql`select * from login_counters`
    await failTimes(3)
    expect(await fullStack.sql`select * from login_counters`).toEqual(before)
  })

  test('an account has its own counter, in any letter case of its address', async () => {
    await fullStack.post('/auth/register', { email: 'bob@example.com', password })
    const cases = [
      'ada@example.com',
      'ADA@example.com',
      'Ada@Example.com',
      'adA@example.com',
      'ada@EXAMPLE.COM',
    ]
    for (const address of cases) await fullStack.post('/auth/login', { email: address, password: 'wrong' })
    expect(await tryWith(password)).toBe(401)
    expect((await fullStack.post('/auth/login', { email: 'bob@example.com', password })).status).toBe(200)
  })

  // A counted attempt costs one write more than an uncounted one: on a slow disk that alone would
  // reveal accounts.
  test('an address without an account is counted and locked out like any other, and no mail is sent', async () => {
    for (let index = 0; index < 6; index++)
      await fullStack.post('/auth/login', { email: 'Nobody@example.com', password: 'wrong' })
    expect(await counters()).toEqual([
      { device_id: expect.stringMatching(/^[0-]{36}$/), tries: 5, locked: true, ends_in_seconds: 900 },
    ])
    expect(await attempts()).toEqual(Array(6).fill('unknown_account'))
    expect(await lockouts()).toHaveLength(0)
    expect(await fullStack.mails('nobody@example.com')).toHaveLength(0)
  })

  // The lockout lives in Postgres: killing the origin is no way around it (I1).
  test('401: it outlives a restart', async () => {
    await failTimes(5)
    const after = await createFullStack({ environment: highLimits, remains: fullStack.remains })
    try {
      expect((await after.post('/auth/login', { email, password })).status).toBe(401)
    } finally {
      await after.close()
    }
  })

  test('limit, window and lockout are configurable', async () => {
    const environment = {
      ...highLimits,
      LOCKOUT_TRIES: '2',
      LOCKOUT_WINDOW_SECONDS: '60',
      LOCKOUT_SECONDS: '120',
    }
    const other = await createFullStack({ environment, remains: fullStack.remains })
    try {
      await other.post('/auth/login', { email, password: 'wrong' })
      expect(await counters()).toMatchObject([{ tries: 1, locked: false, ends_in_seconds: 60 }])
      await other.post('/auth/login', { email, password: 'wrong' })
      expect(await counters()).toMatchObject([{ tries: 2, locked: true, ends_in_seconds: 120 }])
      expect((await other.post('/auth/login', { email, password })).status).toBe(401)
    } finally {
      await other.close()
    }
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { forceRace, untilOneWaits } from '../../test/support/full-stack/force-race.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

// In the letter case of its owner: the token has the same, and the lookup must not care.
const email = 'Ada@example.com'
const password = 'correct horse battery'
const nextPassword = 'tundra vowel kiosk'

let fullStack: FullStack
let tokens: TokenResponse
let hash: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp(email, password)
  const [row] = await fullStack.sql<[{ password_hash: string }]>`select password_hash from user_accounts`
  hash = row.password_hash
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`update user_accounts set password_hash = ${hash}`
  await fullStack.sql`truncate login_counters, sessions cascade`
  tokens = await fullStack.login(email, password)
  await fullStack.sql`truncate audit_logs, revocations`
})

const change = (currentPassword: string, newPassword = nextPassword, { access_token } = tokens) =>
  fullStack.post(
    '/auth/password',
    { current_password: currentPassword, new_password: newPassword },
    { headers: { ...bearer(access_token), 'x-request-id': 'change-0001' } },
  )

const loginStatus = async (attempt: string) =>
  (await fullStack.post('/auth/login', { email, password: attempt })).status

const refreshStatus = async ({ refresh_token }: TokenResponse) =>
  (await fullStack.post('/auth/refresh', { refresh_token })).status

async function expectRefused(answer: Response) {
  expect(answer.status).toBe(403)
  expect((await problem(answer)).code).toBe('password_wrong')
}

const changedMails = async () =>
  (await fullStack.mails(email)).filter(({ subject }) => subject.includes('changed'))

describe('POST /auth/password', () => {
  test('204: the new password works and the old one does not; its owner gets a mail', async () => {
    const mailsBefore = (await changedMails()).length
    expect((await change(password)).status).toBe(204)
    expect(await loginStatus(nextPassword)).toBe(200)
    expect(await loginStatus(password)).toBe(401)
    expect(await changedMails()).toHaveLength(mailsBefore + 1)
  })

  test('204: all other sessions end, with revocation and audit row, and this one goes on', async () => {
    const other = await fullStack.login(email, password)
    await fullStack.sql`truncate audit_logs`
    expect((await change(password)).status).toBe(204)
    expect(await refreshStatus(other)).toBe(401)
    expect(await refreshStatus(tokens)).toBe(200)
    const { sub, sid } = decodeJwt(tokens.access_token)
    expect(await fullStack.sql`select subject from revocations`).toEqual([
      { subject: decodeJwt(other.access_token).sid },
    ])
    const by = { actor_id: sub, user_id: sub, request_id: 'change-0001' }
    expect(
      await fullStack.sql`
      select action, actor_id, user_id, session_id, request_id, details from audit_logs order by id`,
    ).toEqual([
      { ...by, action: 'session.ended', session_id: null, details: { reason: 'password_changed', count: 1 } },
      { ...by, action: 'password.changed', session_id: sid, details: {} },
    ])
  })

  test('204: the device that changed it stays known, all others become unknown', async () => {
    const other = await fullStack.post('/auth/login', { email, password })
    const otherDevice = setCookieOf(other, deviceCookie)?.value
    const device = setCookieOf(await change(password), deviceCookie)?.value
    for (let tries = 0; tries < 5; tries++) await loginStatus('wrong')
    const loginFrom = async (cookie: string | undefined) => {
      const headers = { cookie: `${deviceCookie}=${cookie}` }
      return (await fullStack.post('/auth/login', { email, password: nextPassword }, { headers })).status
    }
    expect(await loginFrom(otherDevice)).toBe(401)
    expect(await loginFrom(device)).toBe(200)
  })

  // A laptop left open: who sits down at it has a session, and must not make the account his own.
  test('403 password_wrong: without the current password nothing changes, and an audit row has the reason', async () => {
    await expectRefused(await change('wrong'))
    expect(await loginStatus(password)).toBe(200)
    const { sub, sid } = decodeJwt(tokens.access_token)
    expect(
      await fullStack.sql`
      select actor_id, user_id, session_id, request_id from audit_logs where action = 'password.change_refused'`,
    ).toEqual([{ actor_id: sub, user_id: sub, session_id: sid, request_id: 'change-0001' }])
  })

  test('403 password_wrong: the sixth attempt of a session is rejected although it is right; the owner can still log in', async () => {
    const mailsBefore = (await fullStack.mails(email)).length
    for (let tries = 0; tries < 5; tries++) await expectRefused(await change('wrong'))
    await expectRefused(await change(password))
    expect(
      await fullStack.sql`select device_id, locked_at is not null as locked from login_counters`,
    ).toEqual([{ device_id: decodeJwt(tokens.access_token).sid, locked: true }])
    const other = await fullStack.login(email, password)
    expect(await fullStack.mails(email)).toHaveLength(mailsBefore)
    expect((await change(password, nextPassword, other)).status).toBe(204)
  })

  test('204: while unknown devices are locked out', async () => {
    for (let tries = 0; tries < 5; tries++) await loginStatus('wrong')
    expect((await change(password)).status).toBe(204)
  })

  test('422: a new password that is too weak, too short or names its owner, with the reason; it uses up no attempt', async () => {
    for (const weak of [
      'passwordpassword',
      'short',
      'ada@example.com is me',
      'gatehouse at noon',
      'a'.repeat(20),
      'qwertyuiopasdf',
      '123456789012',
    ]) {
      const answer = await change(password, weak)
      expect(answer.status, weak).toBe(422)
      expect((await problem(answer)).errors?.map(({ pointer }) => pointer)).toEqual(['/new_password'])
    }
    expect((await change(password)).status).toBe(204)
  })

  test('401 token_missing: without a token', async () => {
    const body = { current_password: password, new_password: nextPassword }
    const answer = await fullStack.post('/auth/password', body)
    expect(answer.status).toBe(401)
    expect((await problem(answer)).code).toBe('token_missing')
  })

  // The thief logs in with the old password while its owner changes it: his session must not
  // outlive the change that ends all.
  test('401: a login that was evaluated before the change and would open its session after it', async () => {
    const [changed, loggedIn] = await raceWithChange(() => fullStack.post('/auth/login', { email, password }))
    expect(changed?.status).toBe(204)
    expect(loggedIn?.status).toBe(401)
    expect(await fullStack.sql`select from sessions where ended_at is null`).toHaveLength(1)
  })

  test('403 password_wrong: of two changes at once that both know the old password, one wins', async () => {
    const thief = await fullStack.login(email, password)
    const [changed, late] = await raceWithChange(() => change(password, 'zebra vowel tunes', thief))
    expect([changed?.status, late?.status]).toEqual([204, 403])
  })

  /** Both have evaluated the old password, and wait for the account's row, the change first. */
  function raceWithChange(other: () => Promise<Response>) {
    return forceRace(fullStack, {
      at: 'select from user_accounts for no key update',
      requests: () => [change(password), untilOneWaits(fullStack).then(other)],
      waiting: 2,
    })
  }
})

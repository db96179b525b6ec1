import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { forceRace, untilOneWaits } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const graceSeconds = 1

let fullStack: FullStack
let tokens: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, REFRESH_GRACE_SECONDS: `${graceSeconds}` },
  })
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate sessions cascade`
  tokens = await fullStack.login('ada@example.com', password)
  await fullStack.sql`truncate audit_logs, revocations`
})

const refreshIn = ({ post }: FullStack, refreshToken: string) =>
  post('/auth/refresh', { refresh_token: refreshToken })

const refresh = (refreshToken: string) => refreshIn(fullStack, refreshToken)

async function successorOf(refreshToken: string): Promise<string> {
  const response = await refresh(refreshToken)
  expect(response.status).toBe(200)
  return ((await response.json()) as TokenResponse).refresh_token
}

async function codeOf(refreshToken: string) {
  const response = await refresh(refreshToken)
  return response.status === 200 ? 200 : (await problem(response)).code
}

/** Moves everything that was spent or replayed into the past. */
const pass = async (interval: string) => {
  await fullStack.sql`update tokens set spent_at = spent_at - ${interval}::interval where spent_at is not null`
  await fullStack.sql`
    update sessions set late_replays = array(select at - ${interval}::interval from unnest(late_replays) at)`
}

const audited = () =>
  fullStack.sql`select action, session_id is not null as of_session, details from audit_logs`
const lateReplays = async () =>
  (await fullStack.sql`select from audit_logs where action = 'session.refresh_replayed_late'`).length
const ended = async () => (await fullStack.sql`select end_reason from sessions`)[0]?.end_reason

describe('POST /auth/refresh after the grace window, with the last token that was spent', () => {
  // A phone refreshes, sleeps before the response arrives, and wakes up in the morning.
  test('200: a sleeping phone gets the successor it never received, with an audit row', async () => {
    const second = await successorOf(tokens.refresh_token)
    await pass('8 hours')
    expect(await successorOf(tokens.refresh_token)).toBe(second)
    expect(await audited()).toEqual([
      {
        action: 'session.refresh_replayed_late',
        of_session: true,
        details: { seconds_since_answered: 28_800, late_replays: 1 },
      },
    ])
    expect(await fullStack.sql`select from revocations`).toHaveLength(0)
    await successorOf(second)
  })

  test('200: two tabs that wake up with one token get one successor, and use up one late replay', async () => {
    const second = await successorOf(tokens.refresh_token)
    await pass('8 hours')
    const responses = await forceRace(fullStack, {
      at: 'select from sessions for update',
      requests: () => Array.from({ length: 5 }, () => refresh(tokens.refresh_token)),
      waiting: 5,
    })
    expect(responses.map(({ status }) => status)).toEqual(Array(5).fill(200))
    const bodies = (await Promise.all(responses.map((response) => response.json()))) as TokenResponse[]
    expect(new Set(bodies.map(({ refresh_token }) => refresh_token))).toEqual(new Set([second]))
    expect(await lateReplays()).toBe(1)
  })

  test('401 refresh_reused: the third in 24 hours ends the session; those before do not count', async () => {
    const second = await successorOf(tokens.refresh_token)
    for (const _ of [1, 2]) {
      await pass('1 hour')
      await successorOf(tokens.refresh_token)
    }
    const third = await successorOf(second)
    await successorOf(third)
    await pass('24 hours')
    await successorOf(third)
    await pass('30 minutes')
    await successorOf(third)
    await pass('30 minutes')
    expect(await codeOf(third)).toBe('refresh_reused')
    expect(await ended()).toBe('refresh_reused')
    expect(await lateReplays()).toBe(4)
  })

  // Thief and owner hold one token. The one that refreshes second shows up as a late replay.
  test.each([
    ['owner', 'thief'],
    ['thief', 'owner'],
  ])('401 refresh_reused: the %s refreshes first, the %s in step: found within three refreshes', async () => {
    let shared = tokens.refresh_token
    for (const _ of [1, 2]) {
      const next = await successorOf(shared)
      await pass('15 minutes')
      expect(await successorOf(shared)).toBe(next)
      shared = next
    }
    const last = await successorOf(shared)
    await pass('15 minutes')
    expect(await codeOf(shared)).toBe('refresh_reused')
    expect(await codeOf(last)).toBe('refresh_invalid')
    expect(await fullStack.sql`select from revocations`).toHaveLength(1)
  })

  // So rarely that no 24 hours see more than two late replays.
  test.each(['12 hours', '2 days'])(
    '401 refresh_reused: the owner refreshes, the thief %s later, and so on: found at the third late replay',
    async (interval) => {
      let shared = tokens.refresh_token
      for (const _ of [1, 2]) {
        const next = await successorOf(shared)
        await pass(interval)
        expect(await successorOf(shared)).toBe(next)
        await pass(interval)
        shared = next
      }
      await successorOf(shared)
      await pass(interval)
      expect(await codeOf(shared)).toBe('refresh_reused')
      expect(await ended()).toBe('refresh_reused')
      expect(await lateReplays()).toBe(2)
    },
  )

  test('401 refresh_reused: the third late replay of one token, a day apart each', async () => {
    await successorOf(tokens.refresh_token)
    for (const _ of [1, 2]) {
      await pass('24 hours')
      await successorOf(tokens.refresh_token)
    }
    await pass('24 hours')
    expect(await codeOf(tokens.refresh_token)).toBe('refresh_reused')
  })

  test('200: a phone that loses a response a day for a week, and refreshes normally in between', async () => {
    let current = tokens.refresh_token
    for (let day = 1; day <= 7; day++) {
      const next = await successorOf(current)
      await pass('12 hours')
      expect(await successorOf(current)).toBe(next)
      await pass('12 hours')
      current = await successorOf(next)
    }
    expect(await lateReplays()).toBe(7)
  })

  test('401 refresh_reused: once the successor was used, no late replay is accepted', async () => {
    await successorOf(await successorOf(tokens.refresh_token))
    await pass('2 seconds')
    expect(await codeOf(tokens.refresh_token)).toBe('refresh_reused')
    expect(await lateReplays()).toBe(0)
  })

  // The check and the use of the successor meet at the session's row, so one comes after the other.
  test('401 refresh_reused: a late replay that waits while the successor is used', async () => {
    const second = await successorOf(tokens.refresh_token)
    await pass('8 hours')
    const [used, late] = await forceRace(fullStack, {
      at: 'select from sessions for update',
      requests: () => [refresh(second), untilOneWaits(fullStack).then(() => refresh(tokens.refresh_token))],
      waiting: 2,
    })
    expect(used?.status).toBe(200)
    expect(late?.status).toBe(401)
    expect(await ended()).toBe('refresh_reused')
  })

  test.each([
    ['whose successor has idled out', `update tokens set expires_at = now() where spent_at is null`],
    ['that is past its own life', `update tokens set expires_at = now() where spent_at is not null`],
    ['whose session is past its end', `update sessions set expires_at = now()`],
    ['of a disabled account', `update user_accounts set status = 'disabled'`],
  ])('401: a late replay of a token %s', async (_, change) => {
    await successorOf(tokens.refresh_token)
    await pass('8 hours')
    await fullStack.sql.unsafe(change)
    expect((await refresh(tokens.refresh_token)).status).toBe(401)
    expect(await lateReplays()).toBe(0)
    await fullStack.sql`update user_accounts set status = 'active'`
  })

  test('the late replay and its audit row are of one commit', async () => {
    await successorOf(tokens.refresh_token)
    await pass('8 hours')
    await fullStack.sql`alter table audit_logs add constraint no_late check (action <> 'session.refresh_replayed_late')`
    expect((await refresh(tokens.refresh_token)).status).toBe(500)
    await fullStack.sql`alter table audit_logs drop constraint no_late`
    expect(await fullStack.sql`select late_replays from sessions`).toEqual([{ late_replays: [] }])
  })
})

describe('POST /auth/refresh while the database stalls for longer than the grace window', () => {
  const stall = `pg_sleep(${graceSeconds * 2})`

  test.each([
    ['a row lock', 'select from sessions for update'],
    ['a table lock', 'lock table tokens in access exclusive mode'],
  ])('200: the client repeats its refresh after %s, and no late replay is used up', async (_, at) => {
    const responses = await forceRace(fullStack, {
      at,
      requests: () => [refresh(tokens.refresh_token), refresh(tokens.refresh_token)],
      waiting: 2,
      whileWaiting: () => fullStack.sql.unsafe(`select ${stall}`),
    })
    expect(responses.map(({ status }) => status)).toEqual([200, 200])
    await successorOf(tokens.refresh_token)
    expect(await lateReplays()).toBe(0)
  })
})

describe.each([
  ['REFRESH_LATE_REPLAYS=0', { REFRESH_LATE_REPLAYS: '0' }],
  ['REFRESH_GRACE_SECONDS=0, which asks for no replay at all', { REFRESH_GRACE_SECONDS: '0' }],
])('POST /auth/refresh with %s', (_, environment) => {
  let strict: FullStack
  beforeAll(async () => {
    strict = await createFullStack({ environment: { ...highLimits, ...environment } })
    await strict.signUp('ada@example.com', password)
  })
  afterAll(() => strict.close())

  test('401 refresh_reused: a late replay ends the session', async () => {
    const { refresh_token } = await strict.login('ada@example.com', password)
    expect((await refreshIn(strict, refresh_token)).status).toBe(200)
    await strict.sql`update tokens set spent_at = spent_at - interval '11 seconds' where spent_at is not null`
    const replay = await refreshIn(strict, refresh_token)
    expect(replay.status).toBe(401)
    expect((await problem(replay)).code).toBe('refresh_reused')
  })
})

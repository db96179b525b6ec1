import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'

const password = 'correct horse battery'

let fullStack: OAuthFullStack
let token: string
let otherToken: string
let userId: string
beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  token = await fullStack.serviceToken(await fullStack.client('billing', 'subscriptions.write'))
  otherToken = await fullStack.serviceToken(await fullStack.client('shop', 'subscriptions.write'))
  const { tokens } = await fullStack.fullStack.signUp('ada@example.com', password)
  userId = decodeJwt(tokens.access_token).sub ?? ''
})
afterAll(() => fullStack.fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate billing_events, subscription_bookings, audit_logs, revocations`
  await fullStack.sql`delete from user_subscriptions`
  await fullStack.sql`
    insert into user_subscriptions (user_id, plan_id)
    select account.id, plan.id from user_accounts account, subscription_plans plan where plan.name = 'free'`
})

const pro = {
  event_id: 'evt-1',
  occurred_at: '2026-03-01T10:00:00Z',
  plan: 'pro',
  status: 'active',
  period_ends_at: '2999-01-01T00:00:00Z',
}

/** As it is stored and told: times in UTC, the period starting with the event. */
const proAnswer = () => ({
  event_id: 'evt-1',
  user_id: userId,
  plan: 'pro',
  status: 'active',
  period_starts_at: '2026-03-01T10:00:00.000Z',
  period_ends_at: '2999-01-01T00:00:00.000Z',
  cancel_at_period_end: false,
})

function put(event: unknown, { id = userId, by = token }: { id?: string; by?: string } = {}) {
  return fullStack.fetch(`/internal/users/${id}/subscription`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...bearer(by) },
    body: JSON.stringify(event),
  })
}

async function refused(event: unknown, options?: Parameters<typeof put>[1]) {
  const { status, code, errors } = await problem(await put(event, options))
  return { status, code, at: errors?.map(({ pointer }) => pointer) }
}

/** Everything that an event can leave behind. */
async function traces() {
  const held = await fullStack.sql<{ plan: string; status: string; current: boolean }[]>`
    select plan.name as plan, subscription.status, ended_at is null as current
    from user_subscriptions subscription join subscription_plans plan on plan.id = plan_id
    where user_id = ${userId} order by subscription.id`
  const [counted] = await fullStack.sql<[{ events: number; told: number; audited: number }]>`
    select (select count(*)::int from billing_events) as events, (select count(*)::int from revocations) as told,
      (select count(*)::int from audit_logs where action = 'subscription.changed') as audited`
  return { held: held.map((row) => ({ ...row })), ...counted }
}

const free = { plan: 'free', status: 'active', current: false }
const applied = {
  held: [free, { plan: 'pro', status: 'active', current: true }],
  events: 1,
  told: 1,
  audited: 1,
}
const nothing = { held: [{ ...free, current: true }], events: 0, told: 0, audited: 0 }

const claims = async () =>
  decodeJwt((await fullStack.fullStack.login('ada@example.com', password)).access_token)

describe('PUT /internal/users/{id}/subscription', () => {
  test('200: the plan counts from now on, the one before is history, tokens of its time are stale', async () => {
    const before = await claims()
    const answer = await put(pro)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual(proAnswer())
    expect(await traces()).toEqual(applied)
    const [told] = await fullStack.sql`select scope, subject, epoch from revocations`
    const after = await claims()
    expect(after).toMatchObject({ plan: 'pro', quota: 20_000 })
    expect((after.epoch as { user: number }).user).toBe((before.epoch as { user: number }).user + 1)
    expect(told).toEqual({ scope: 'user', subject: userId, epoch: (after.epoch as { user: number }).user })
  })

  test('200: audited with no actor, but client, event, before and after', async () => {
    await put(pro)
    const [row] = await fullStack.sql`
      select actor_id, user_id, details from audit_logs where action = 'subscription.changed'`
    const { event_id: _, user_id: __, ...after } = proAnswer()
    expect(row).toEqual({
      actor_id: null,
      user_id: userId,
      details: {
        client_id: 'billing',
        event_id: 'evt-1',
        before: expect.objectContaining({ plan: 'free', status: 'active', period_ends_at: null }),
        after,
      },
    })
  })

  test.each([
    ['past_due', { status: 'past_due' }],
    ['canceled', { status: 'canceled' }],
    [
      'a period that has passed',
      { occurred_at: '2020-01-01T00:00:00Z', period_ends_at: '2020-02-01T00:00:00Z' },
    ],
  ])('200, and what Free has: %s', async (_, over) => {
    expect((await put({ ...pro, ...over })).status).toBe(200)
    expect(await claims()).toMatchObject({ plan: 'free', quota: 1000 })
  })

  test('200, and the plan until its end: canceled at the end of the period', async () => {
    const answer = await put({ ...pro, cancel_at_period_end: true })
    expect(await answer.json()).toMatchObject({ status: 'active', cancel_at_period_end: true })
    expect(await claims()).toMatchObject({ plan: 'pro' })
  })

  test('200: an event that changes nothing is stored, and no token becomes stale', async () => {
    await put(pro)
    const again = {
      ...pro,
      event_id: 'evt-2',
      period_starts_at: pro.occurred_at,
      occurred_at: '2026-03-02T00:00:00Z',
    }
    expect((await put(again)).status).toBe(200)
    expect(await traces()).toEqual({ ...applied, events: 2 })
  })
})

describe('an event from the future', () => {
  // It would outdate every event until then.
  test('422 validation_failed: more than five minutes ahead, and it leaves nothing', async () => {
    for (const ahead of [new Date(Date.now() + 6 * 60_000).toISOString(), '2125-01-01T00:00:00Z']) {
      const answer = await problem(await put({ ...pro, occurred_at: ahead, period_ends_at: null }))
      expect(answer).toMatchObject({ status: 422, code: 'validation_failed' })
      expect(answer.errors).toEqual([
        { pointer: '/occurred_at', detail: 'must be at most 5 minutes ahead of the time at the origin' },
      ])
    }
    expect(await traces()).toEqual(nothing)
  })

  test('200: up to five minutes ahead, as clocks differ', async () => {
    const ahead = new Date(Date.now() + 4 * 60_000).toISOString()
    expect((await put({ ...pro, occurred_at: ahead })).status).toBe(200)
  })

  test('409 event_conflict: where its id came before with another time', async () => {
    await put(pro)
    const later = { ...pro, occurred_at: '2125-01-01T00:00:00Z' }
    expect(await refused(later)).toMatchObject({ status: 409, code: 'event_conflict' })
  })
})

describe('an event that comes again', () => {
  test('200: gets the same response and has no effect, even after later ones', async () => {
    const first = await (await put(pro)).text()
    expect(await (await put(pro)).text()).toBe(first)
    expect(await traces()).toEqual(applied)
    await put({ ...pro, event_id: 'evt-2', plan: 'business', occurred_at: '2026-04-01T00:00:00Z' })
    const late = await put({ ...pro, occurred_at: '2026-03-01T12:00:00+02:00', cancel_at_period_end: false })
    expect({ status: late.status, text: await late.text() }).toEqual({ status: 200, text: first })
    expect(await claims()).toMatchObject({ plan: 'business' })
  })

  test('200: fifty at once have one effect', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => put(pro)))
    for (const answer of answers)
      expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: proAnswer() })
    expect(await traces()).toEqual(applied)
  })

  test('409 event_conflict: the same id with another content, or for another account', async () => {
    await put(pro)
    for (const over of [
      { plan: 'business' },
      { status: 'canceled' },
      { period_ends_at: null },
      { cancel_at_period_end: true },
      { occurred_at: '2026-03-01T10:00:01Z' },
      { occurred_at: '2026-03-01T10:00:00.000001Z' },
    ])
      expect(await refused({ ...pro, ...over })).toMatchObject({ status: 409, code: 'event_conflict' })
    const bob = decodeJwt((await fullStack.fullStack.signUp('bob@example.com')).tokens.access_token).sub ?? ''
    expect(await refused(pro, { id: bob })).toMatchObject({ status: 409, code: 'event_conflict' })
    expect(await traces()).toEqual(applied)
  })

  // Two accounts hold different rows: here the key alone settles it.
  test('409 event_conflict: of twenty accounts that one id comes for at once, one gets it', async () => {
    const added = await fullStack.sql<{ id: string }[]>`
      insert into user_accounts (email, password_hash, role_id)
      select 'many-' || n || '@example.com', 'x', (select id from roles where name = 'user')
      from generate_series(1, 20) as n returning id`
    const answers = await Promise.all(added.map(({ id }) => put(pro, { id })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(409)])
    expect(await traces()).toMatchObject({ events: 1, told: 1, audited: 1 })
  })

  test('200: ids are each client’s own', async () => {
    await put(pro)
    const other = await put({ ...pro, plan: 'business' }, { by: otherToken })
    expect(other.status).toBe(200)
    expect(await traces()).toMatchObject({ events: 2 })
  })
})

describe('an event out of order', () => {
  test('409 event_outdated: occurred before the last one applied; nothing is written', async () => {
    await put(pro)
    const older = { ...pro, event_id: 'evt-0', plan: 'starter', occurred_at: '2026-03-01T09:59:59.999Z' }
    expect(await refused(older)).toMatchObject({ status: 409, code: 'event_outdated' })
    expect(await refused(older, { by: otherToken })).toMatchObject({ code: 'event_outdated' })
    expect(await traces()).toEqual(applied)
  })

  test('200: occurred at the same moment, or before the last event of another user', async () => {
    await put(pro)
    expect((await put({ ...pro, event_id: 'evt-2', plan: 'starter' })).status).toBe(200)
    const cyd = decodeJwt((await fullStack.fullStack.signUp('cyd@example.com')).tokens.access_token).sub ?? ''
    const older = { ...pro, event_id: 'evt-3', occurred_at: '2025-01-01T00:00:00Z' }
    expect((await put(older, { id: cyd })).status).toBe(200)
  })

  test('200: less than a millisecond later', async () => {
    await put({ ...pro, occurred_at: '2026-03-01T10:00:00.000001Z' })
    const next = { ...pro, event_id: 'evt-0', plan: 'starter', occurred_at: '2026-03-01T10:00:00.000002Z' }
    expect((await put(next)).status).toBe(200)
    expect(await claims()).toMatchObject({ plan: 'starter' })
  })

  test('409 event_outdated: less than a millisecond before', async () => {
    await put({ ...pro, occurred_at: '2026-03-01T10:00:00.000002Z' })
    const older = { ...pro, event_id: 'evt-2', plan: 'starter', occurred_at: '2026-03-01T10:00:00.000001Z' }
    expect(await refused(older)).toMatchObject({ status: 409, code: 'event_outdated' })
  })

  test('nanoseconds are cut to microseconds, and offsets are of no matter', async () => {
    await put({ ...pro, occurred_at: '2026-03-01T10:00:00.000002999Z' })
    const older = { ...pro, event_id: 'evt-2', occurred_at: '2026-03-01T12:00:00.000001999+02:00' }
    expect(await refused(older)).toMatchObject({ code: 'event_outdated' })
    const [row] = await fullStack.sql`select occurred_at::text from billing_events`
    expect(row?.occurred_at).toContain('00:00.000002')
  })

  // A sender that knows seconds only: what stays must not depend on which delivery was the quicker.
  test('of two events of one moment the one with the greater id applies, in any order of arrival', async () => {
    const plans = { 'evt-10': 'starter', 'evt-9': 'pro', 'evt-B': 'business', 'evt-a': 'enterprise' }
    const events = Object.entries(plans).map(([event_id, plan]) => ({ ...pro, event_id, plan }))
    for (const order of [events, events.toReversed(), [2, 0, 3, 1].map((index) => events[index])]) {
      await fullStack.sql`truncate billing_events`
      for (const event of order) await put(event)
      expect(await claims()).toMatchObject({ plan: 'enterprise' })
    }
  })

  test('of one moment and one id the client decides', async () => {
    for (const order of [
      [token, otherToken],
      [otherToken, token],
    ]) {
      await fullStack.sql`truncate billing_events`
      for (const by of order) await put({ ...pro, plan: by === token ? 'starter' : 'pro' }, { by })
      expect(await claims()).toMatchObject({ plan: 'pro' })
    }
  })

  test('200 or 409: of many at once the latest is what stays', async () => {
    const plans = ['starter', 'pro', 'business', 'enterprise']
    const events = Array.from({ length: 24 }, (_, index) => ({
      ...pro,
      event_id: `evt-${index}`,
      plan: plans[index % 4],
      occurred_at: new Date(Date.UTC(2026, 4, 1, 0, index)).toISOString(),
    }))
    const answers = await Promise.all(events.toReversed().map((event) => put(event)))
    expect(new Set(answers.map(({ status }) => status)).isSubsetOf(new Set([200, 409]))).toBe(true)
    expect((await traces()).held.filter(({ current }) => current)).toMatchObject([{ plan: 'enterprise' }])
    const [last] = await fullStack.sql`
      select event_id from billing_events order by occurred_at desc limit 1`
    expect(last).toEqual({ event_id: 'evt-23' })
  })
})

describe('a booking by hand counts at its own time', () => {
  let admin: string
  beforeAll(async () => {
    await fullStack.fullStack.signUp('boss@example.com', password)
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'admin')
      where email = 'boss@example.com'`
    admin = (await fullStack.fullStack.login('boss@example.com', password)).access_token
  })

  const book = (plan: string) =>
    fullStack.fullStack.call(`/admin/users/${userId}/subscription`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...bearer(admin) },
      body: JSON.stringify({ plan }),
    })

  test('409 event_outdated: an event from before it does not undo it', async () => {
    await book('business')
    const before = { ...pro, occurred_at: new Date(Date.now() - 3_600_000).toISOString() }
    expect(await refused(before)).toMatchObject({ status: 409, code: 'event_outdated' })
    expect(await claims()).toMatchObject({ plan: 'business' })
  })

  test('409 event_outdated: nor does it undo one that changed nothing', async () => {
    await put(pro)
    await book('pro')
    await book('pro')
    const before = {
      ...pro,
      event_id: 'evt-2',
      plan: 'starter',
      occurred_at: new Date(Date.now() - 60_000).toISOString(),
    }
    expect(await refused(before)).toMatchObject({ code: 'event_outdated' })
    expect(await claims()).toMatchObject({ plan: 'pro' })
  })

  test('200: an event from after it replaces it', async () => {
    await book('business')
    const after = { ...pro, occurred_at: new Date(Date.now() + 1000).toISOString() }
    expect((await put(after)).status).toBe(200)
    expect(await claims()).toMatchObject({ plan: 'pro' })
  })

  // Stored by earlier versions, which accepted every time.
  test('200: an event of now replaces it, although events and bookings from the future are stored', async () => {
    await fullStack.sql`
      insert into billing_events (client_id, event_id, user_id, occurred_at, content_hash)
      values ('billing', 'evt-0', ${userId}, '2125-01-01', sha256('evt-0'))`
    await fullStack.sql`insert into subscription_bookings (user_id, booked_at) values (${userId}, '2125-01-01')`
    const now = () => new Date(Date.now() + 1000).toISOString()
    expect((await put({ ...pro, occurred_at: now() })).status).toBe(200)
    expect((await book('business')).status).toBe(200)
    expect(await claims()).toMatchObject({ plan: 'business' })
    expect((await put({ ...pro, event_id: 'evt-2', occurred_at: now() })).status).toBe(200)
    expect(await claims()).toMatchObject({ plan: 'pro' })
  })

  test('409 event_outdated: an event from before it, although an event from the future is stored', async () => {
    await fullStack.sql`
      insert into billing_events (client_id, event_id, user_id, occurred_at, content_hash)
      values ('billing', 'evt-0', ${userId}, '2125-01-01', sha256('evt-0'))`
    await book('business')
    const before = { ...pro, occurred_at: new Date(Date.now() - 60_000).toISOString() }
    expect(await refused(before)).toMatchObject({ code: 'event_outdated' })
  })

  test('of another account it counts for nothing here', async () => {
    const other = decodeJwt(
      (await fullStack.fullStack.signUp('dee@example.com', password)).tokens.access_token,
    ).sub
    await fullStack.fullStack.call(`/admin/users/${other}/subscription`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...bearer(admin) },
      body: JSON.stringify({ plan: 'pro' }),
    })
    expect((await put(pro)).status).toBe(200)
  })
})

describe('an event of an earlier version, which knew milliseconds', () => {
  test('200: is the same when it comes again with its microseconds', async () => {
    const event = { ...pro, occurred_at: '2026-03-01T10:00:00.123456Z' }
    const answer = await (await put(event)).json()
    const hash = createHash('sha256').update(JSON.stringify([answer, '2026-03-01T10:00:00.123Z']))
    await fullStack.sql`
      update billing_events
      set content_hash = ${hash.digest()}, occurred_at = date_trunc('milliseconds', occurred_at)`
    expect((await put(event)).status).toBe(200)
    expect((await put({ ...event, occurred_at: '2026-03-01T10:00:00.124Z' })).status).toBe(409)
  })
})

describe('rejected', () => {
  test('404 not_found: no such account, or no id at all', async () => {
    for (const id of [crypto.randomUUID(), 'ada', '1'])
      expect(await refused(pro, { id })).toMatchObject({ status: 404, code: 'not_found' })
  })

  test('422 validation_failed: names the field', async () => {
    for (const [over, at] of [
      [{ plan: 'gold' }, '/plan'],
      [{ plan: 7 }, '/plan'],
      [{ status: 'trialing' }, '/status'],
      [{ event_id: '' }, '/event_id'],
      [{ event_id: 'x'.repeat(201) }, '/event_id'],
      [{ event_id: 'a\0b' }, '/event_id'],
      [{ occurred_at: 'yesterday' }, '/occurred_at'],
      [{ occurred_at: '2026-03-01' }, '/occurred_at'],
      [{ occurred_at: '0000-01-01T00:00:00Z' }, '/occurred_at'],
      [{ period_ends_at: '9999-12-31T23:59:59-23:59' }, '/period_ends_at'],
      [{ period_ends_at: pro.occurred_at }, '/period_ends_at'],
      [{ period_starts_at: '2999-06-01T00:00:00Z' }, '/period_ends_at'],
      [{ period_ends_at: null, cancel_at_period_end: true }, '/period_ends_at'],
      [{ period_ends_at: undefined }, '/period_ends_at'],
      [{ user_id: crypto.randomUUID() }, '/user_id'],
    ] as const)
      expect(await refused({ ...pro, ...over })).toEqual({ status: 422, code: 'validation_failed', at: [at] })
    expect(await traces()).toEqual(nothing)
  })

  test('403 scope_required: a service for something else', async () => {
    const by = await fullStack.serviceToken(await fullStack.client('reader', 'users.read'))
    expect(await refused(pro, { by })).toMatchObject({ status: 403, code: 'scope_required' })
  })

  test('401 invalid_token: a user, an admin too', async () => {
    const { access_token: by } = await fullStack.fullStack.login('ada@example.com', password)
    expect(await refused(pro, { by })).toMatchObject({ status: 401, code: 'invalid_token' })
  })

  test('404 not_found: any caller through the gateway', async () => {
    const answer = await fullStack.fullStack.call(`/internal/users/${userId}/subscription`, {
      method: 'PUT',
      headers: bearer(token),
    })
    expect(answer.status).toBe(404)
  })

  test('500 internal_error: where the audit row fails, everything is rolled back', async () => {
    await fullStack.sql`alter table audit_logs add constraint full_disk check (action <> 'subscription.changed')`
    try {
      expect((await put(pro)).status).toBe(500)
      expect(await traces()).toEqual(nothing)
    } finally {
      await fullStack.sql`alter table audit_logs drop constraint full_disk`
    }
    expect((await put(pro)).status).toBe(200)
  })
})

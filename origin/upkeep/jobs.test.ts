import { Cron } from 'croner'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { jobNames } from '../../shared/contract.ts'
import { jobs, openUpkeepDatabase, type UpkeepDatabase } from '../../test/support/database/upkeep-database.ts'

let db: UpkeepDatabase
let userId: string
beforeAll(async () => {
  db = await openUpkeepDatabase()
  const [row] = await db.sql<[{ id: string }]>`
    insert into user_accounts (email, password_hash, role_id)
    select 'ada@example.com', 'x', id from roles where name = 'user' returning id`
  userId = row.id
})
afterAll(() => db.close())
beforeEach(async () => {
  await db.sql`
    truncate tokens, sessions, spent_legacy_tokens, login_counters, revocations, rate_limit_logs, usage_days, usage_reports, mail_outbox, login_attempts, audit_logs,
      upkeep_runs cascade`
})

const labels = async (table: string, column: string) =>
  (await db.sql`select ${db.sql(column)}::text as label from ${db.sql(table)} order by 1`).map(
    ({ label }) => label,
  )

describe('the list of jobs', () => {
  test('has each job once, with a cron expression of five fields, none in the same minute of a night', () => {
    expect(jobs.map(({ name }) => name)).toEqual([...jobNames])
    const daily = jobs.filter(({ name }) => name !== 'refresh_views').map(({ cron }) => cron)
    expect(new Set(daily).size).toBe(daily.length)
    for (const { cron } of jobs) expect(() => new Cron(cron, { mode: '5-part', paused: true })).not.toThrow()
  })
})

describe('expired_tokens removes', () => {
  test('tokens a day after they expired, spent or not, and none before', async () => {
    await db.sql`
      insert into tokens (kind, user_id, token_hash, spent_at, expires_at)
      select 'password_reset', ${userId}, decode(repeat(hours::text, 64), 'hex'), spent, now() - make_interval(hours => hours * 5)
      from (values (6, null), (5, now()), (4, null), (3, now()), (1, null)) as given (hours, spent)`
    expect(await db.run('expired_tokens')).toEqual({ rows: 2, outcome: 'succeeded', error: null })
    expect(
      await db.sql`select round(extract(epoch from now() - expires_at) / 3600)::int as hours from tokens order by 1`,
    ).toEqual([{ hours: 5 }, { hours: 15 }, { hours: 20 }])
  })

  test('exchanged tokens of former systems a day after they expired, and none before', async () => {
    await db.sql`
      insert into spent_legacy_tokens (token_hash, expires_at)
      select sha256(hours::text::bytea), now() - make_interval(hours => hours) from unnest(array[-48, 1, 23, 25, 48]) hours`
    expect(await db.run('expired_tokens')).toEqual({ rows: 2, outcome: 'succeeded', error: null })
    expect(await labels('spent_legacy_tokens', 'expires_at')).toHaveLength(3)
  })

  test('sessions thirty days after they ended or expired, with their tokens, and no other', async () => {
    await db.sql`
      insert into sessions (user_id, user_agent, expires_at, ended_at, end_reason)
      select ${userId}, label, now() + expires::interval, now() + ended::interval, case when ended is not null then 'logout' end
      from (values
        ('live', '1 day', null),
        ('ended 29 days ago', '1 day', '-29 days'),
        ('ended 31 days ago', '1 day', '-31 days'),
        ('expired 29 days ago', '-29 days', null),
        ('expired 31 days ago', '-31 days', null)
      ) as given (label, expires, ended)`
    await db.sql`
      insert into tokens (kind, user_id, session_id, token_hash, expires_at)
      select 'refresh', user_id, id, sha256(user_agent::bytea), now() + interval '1 day' from sessions`
    expect(await db.run('expired_tokens')).toMatchObject({ rows: 2, outcome: 'succeeded' })
    expect(await labels('sessions', 'user_agent')).toEqual([
      'ended 29 days ago',
      'expired 29 days ago',
      'live',
    ])
    expect(await labels('tokens', 'id')).toHaveLength(3)
  })

  test('login counters and revocations of more than a day ago, and none of today', async () => {
    await db.sql`
      insert into login_counters (address_hash, device_id, tries, window_ends_at, locked_at)
      select sha256(hours::text::bytea), gen_random_uuid(), hours + 20, now() - make_interval(hours => hours), now()
      from unnest(array[25, 23, -1]) hours`
    await db.sql`
      insert into revocations (scope, subject, created_at)
      select 'session', hours::text, now() - make_interval(hours => hours) from unnest(array[25, 23, 0]) hours`
    expect(await db.run('expired_tokens')).toMatchObject({ rows: 2, outcome: 'succeeded' })
    expect(await labels('login_counters', 'tries')).toEqual(['19', '43'])
    expect(await labels('revocations', 'subject')).toEqual(['0', '23'])
  })
})

test('rate_limit_logs removes rejections older than its days, and no other', async () => {
  await db.sql`
    insert into rate_limit_logs (limit_class, limit_key, method, route, created_at)
    select 'user', days::text, 'GET', '/', now() - make_interval(days => days) from unnest(array[31, 29, 0]) days`
  expect(await db.run('rate_limit_logs')).toMatchObject({ rows: 1, outcome: 'succeeded' })
  expect(await labels('rate_limit_logs', 'limit_key')).toEqual(['0', '29'])
})

test('usage_days removes days older than its own number, reports of more than a week ago, and no other', async () => {
  await db.sql`
    insert into usage_days (user_id, day, limit_name, used)
    select ${userId}, (now() at time zone 'UTC')::date - days, 'user', days from unnest(array[401, 400, 0]) days`
  await db.sql`
    insert into usage_reports (id, received_at)
    select gen_random_uuid(), now() - make_interval(days => days) from unnest(array[8, 6]) days`
  expect(await db.run('usage_days')).toMatchObject({ rows: 2, outcome: 'succeeded' })
  expect(await labels('usage_days', 'used')).toEqual(['0', '400'])
  expect(await db.sql`select from usage_reports`).toHaveLength(1)
})

test('mail_outbox deletes mail that was given up thirty days ago, and never mail that still waits', async () => {
  await db.sql`
    insert into mail_outbox (recipient, subject, sealed_body, next_attempt_at, created_at)
    select 'a@example.com', label, '', due::timestamptz, now() - make_interval(days => days)
    from (values ('parked 31', 'infinity', 31), ('parked 29', 'infinity', 29), ('waits', 'now', 31)) as given (label, due, days)`
  expect(await db.run('mail_outbox')).toMatchObject({ rows: 1, outcome: 'succeeded' })
  expect(await labels('mail_outbox', 'subject')).toEqual(['parked 29', 'waits'])
})

test('upkeep_runs removes runs of more than ninety days ago', async () => {
  await db.sql`
    insert into upkeep_runs (job, slot, started_at)
    select 'refresh_views', now() - make_interval(days => days), now() - make_interval(days => days)
    from unnest(array[91, 89]) days`
  expect(await db.run('upkeep_runs')).toMatchObject({ rows: 1, outcome: 'succeeded' })
  expect(await labels('upkeep_runs', 'job')).toEqual(['refresh_views', 'upkeep_runs'])
})

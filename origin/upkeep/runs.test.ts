import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { skipBehindPooler } from '../../test/support/database/skip-behind-pooler.ts'
import {
  jobNamed,
  openUpkeepDatabase,
  type UpkeepDatabase,
} from '../../test/support/database/upkeep-database.ts'
import { createUpkeepRunner } from './runner.ts'

const slot = new Date('2026-03-01T03:00:00Z')
const nextSlot = new Date('2026-03-01T03:05:00Z')
const job = jobNamed('rate_limit_logs')

let db: UpkeepDatabase
beforeAll(async () => {
  db = await openUpkeepDatabase()
})
afterAll(() => db.close())
beforeEach(async () => {
  await db.sql`truncate upkeep_runs, rate_limit_logs`
  db.lines.length = 0
})
afterEach(async () => {
  await db.sql`drop trigger if exists refuse on rate_limit_logs`
})

const addOld = (count: number) => db.sql`
  insert into rate_limit_logs (limit_class, limit_key, method, route, created_at)
  select 'user', n::text, 'GET', '/', now() - interval '60 days' from generate_series(1, ${count}) n`

const left = async () => {
  const [row] = await db.sql<[{ count: number }]>`select count(*)::int as count from rate_limit_logs`
  return row.count
}

/** Deleting the row with this key fails. */
const refuseToDelete = (key: number) =>
  db.sql.unsafe(`
    create or replace function refuse() returns trigger language plpgsql as $$
    begin
      if old.limit_key = '${key}' then raise exception 'disk of % is on fire', old.limit_key; end if;
      return old;
    end $$;
    create trigger refuse before delete on rate_limit_logs for each row execute function refuse()`)

const locks = () => db.sql`select from pg_locks where locktype = 'advisory' and database = (
  select oid from pg_database where datname = current_database())`

/** Another replica: a process has its own pool and runner. */
const replica = () => createUpkeepRunner({ sql: db.connect(1), log: db.log })

test('a run whose result cannot be recorded leaves no lock in its session', async () => {
  const [run] = await db.sql<[{ id: string }]>`
    insert into upkeep_runs (job, slot) values ('rate_limit_logs', ${slot}) returning id`
  const session = db.connect(1)
  await session`set lock_timeout = 100`
  await db.sql.begin(async (transaction) => {
    await transaction`select from upkeep_runs where id = ${run.id} for update`
    await expect(session`call run_upkeep('rate_limit_logs', ${slot}, 30, ${run.id})`).rejects.toMatchObject({
      code: '55P03',
    })
  })
  expect(await locks()).toHaveLength(0)
})

describe('one slot', () => {
  test('is run once, by whichever of four connections claims it first', async () => {
    await addOld(10)
    const pools = [1, 2, 3, 4].map(() => db.connect(1))
    const calls = await Promise.all(
      pools.map((pool) => pool`call run_upkeep('rate_limit_logs', ${slot}, 30, null)`),
    )
    expect(calls.filter(([row]) => row?.run !== null)).toHaveLength(1)
    expect(await db.runs('rate_limit_logs')).toEqual([
      { slot, rows: 10, outcome: 'succeeded', error: null, finished: true },
    ])
    expect(await locks()).toHaveLength(0)
  })

  test('is not run again after it was', async () => {
    await db.sql`call run_upkeep('rate_limit_logs', ${slot}, 30)`
    await addOld(1)
    await replica().run(job, slot)
    expect(await left()).toBe(1)
    expect(await db.runs('rate_limit_logs')).toHaveLength(1)
  })
})

describe('the next slot', () => {
  test('is skipped while the last one still runs, and another job is not', async () => {
    await addOld(3)
    let running: Promise<void> | undefined
    await db.sql.begin(async (transaction) => {
      await transaction`lock table rate_limit_logs in access exclusive mode`
      running = replica().run(job, slot)
      await db.waiting(1)
      await replica().run(job, nextSlot)
      await replica().run(jobNamed('refresh_views'), nextSlot)
      expect(await db.runs('rate_limit_logs')).toMatchObject([{ slot, outcome: null, finished: false }])
      expect(await db.runs('refresh_views')).toMatchObject([{ outcome: 'succeeded' }])
    })
    await running
    expect(await db.runs('rate_limit_logs')).toMatchObject([{ slot, rows: 3, outcome: 'succeeded' }])
    await replica().run(job, nextSlot)
    expect(await db.runs('rate_limit_logs')).toHaveLength(2)
  })
})

describe('a run that fails', () => {
  test('keeps the batches it committed, leaves the reason in its row and in the log; the next one goes on', async () => {
    await addOld(12_000)
    await refuseToDelete(11_000)
    const { run } = replica()
    await run(job, slot)
    expect(await left()).toBe(2000)
    expect(await db.runs('rate_limit_logs')).toEqual([
      { slot, rows: 10_000, outcome: 'failed', error: 'P0001 disk of 11000 is on fire', finished: true },
    ])
    expect(db.lines).toMatchObject([{ level: 'error', msg: 'upkeep failed', job: 'rate_limit_logs' }])

    await db.sql`drop trigger refuse on rate_limit_logs`
    await run(job, nextSlot)
    expect(await left()).toBe(0)
    expect((await db.runs('rate_limit_logs'))[1]).toMatchObject({ rows: 2000, outcome: 'succeeded' })
    expect(await locks()).toHaveLength(0)
  })

  test('at its time limit says so', async (context) => {
    skipBehindPooler(context)
    await addOld(1)
    const runner = createUpkeepRunner({ sql: db.connect(1, 0.2), log: db.log })
    await db.sql`create or replace function refuse() returns trigger language plpgsql as $$
      begin perform pg_sleep(10); return old; end $$`
    await db.sql`create trigger refuse before delete on rate_limit_logs for each row execute function refuse()`
    await runner.run(job, slot)
    expect(await db.runs('rate_limit_logs')).toMatchObject([
      { outcome: 'failed', error: expect.stringMatching(/^57014 /) },
    ])
    expect(await locks()).toHaveLength(0)
  })

  test('for a job that the database does not know', async () => {
    await db.sql`call run_upkeep('tidy_desk', ${slot}, null)`
    expect(await db.sql`select outcome, error from upkeep_runs`).toEqual([
      { outcome: 'failed', error: '20000 case not found' },
    ])
  })

  test('before it began leaves the connection without a lock', async () => {
    const runner = createUpkeepRunner({ sql: db.connect(1), log: db.log })
    await db.sql`alter table upkeep_runs add constraint none check (job <> 'rate_limit_logs')`
    await runner.run(job, slot)
    expect(db.lines).toMatchObject([{ level: 'error', msg: 'upkeep broke off' }])
    expect(await locks()).toHaveLength(0)
    await db.sql`alter table upkeep_runs drop constraint none`
    await runner.run(job, slot)
    expect(await db.runs('rate_limit_logs')).toMatchObject([{ outcome: 'succeeded' }])
  })
})

describe('a batch', () => {
  test('of 12,000 rows is three transactions', async () => {
    await addOld(12_000)
    await db.sql`create table if not exists deleted (xid xid8)`
    await db.sql`create or replace function refuse() returns trigger language plpgsql as $$
      begin insert into deleted values (pg_current_xact_id()); return old; end $$`
    await db.sql`create trigger refuse before delete on rate_limit_logs for each row execute function refuse()`
    await db.sql`call run_upkeep('rate_limit_logs', ${slot}, 30)`
    const batches =
      await db.sql`select count(*)::int as rows from deleted group by xid order by min(xid::text::bigint)`
    expect(batches).toEqual([{ rows: 5000 }, { rows: 5000 }, { rows: 2000 }])
    await db.sql`drop table deleted`
  })

  test('skips a row that another transaction locks, and does not wait for it', async () => {
    await addOld(2)
    await db.sql.begin(async (transaction) => {
      await transaction`select from rate_limit_logs where limit_key = '1' for update`
      expect(await db.run('rate_limit_logs')).toMatchObject({ rows: 1, outcome: 'succeeded' })
    })
    expect(await left()).toBe(1)
  })
})

test('a connection lost in the middle: the run stays without an outcome, the process lives, the next slot is run', async () => {
  await addOld(1)
  const pool = db.connect(1)
  const runner = createUpkeepRunner({ sql: pool, log: db.log })
  const holder = db.connect(1)
  await holder.begin(async (transaction) => {
    await transaction`lock table rate_limit_logs in access exclusive mode`
    const running = runner.run(job, slot)
    await db.waiting(1)
    await db.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    await running
  })
  expect(await db.runs('rate_limit_logs')).toMatchObject([{ slot, outcome: null, finished: false }])
  expect(db.lines).toMatchObject([{ level: 'error', msg: 'upkeep broke off' }])
  expect(await locks()).toHaveLength(0)
  await runner.run(job, nextSlot)
  expect((await db.runs('rate_limit_logs'))[1]).toMatchObject({
    slot: nextSlot,
    rows: 1,
    outcome: 'succeeded',
  })
  expect(await pool`select 1 as one`).toEqual([{ one: 1 }])
})

describe('refresh_views', () => {
  test('shows what changed, moves as_of, and waits for no reader nor makes one wait', async () => {
    await db.sql`
      insert into user_accounts (email, password_hash, role_id)
      select 'ada@example.com', 'x', id from roles where name = 'user'`
    const reader = db.connect(1)
    const [before] = await db.sql<[{ asOf: Date; now: Date }]>`
      select as_of as "asOf", clock_timestamp() as now from view_refreshes`
    await reader.begin(async (transaction) => {
      const read = () => transaction`select email from mv_users_with_subscription`
      expect(await read()).toEqual([])
      expect(await db.run('refresh_views')).toEqual({ rows: 0, outcome: 'succeeded', error: null })
      expect(await read()).toEqual([{ email: 'ada@example.com' }])
    })
    for (const view of ['mv_users_with_subscription', 'mv_user_permissions', 'mv_user_features'])
      expect(await db.sql`select from ${db.sql(view)}`).toHaveLength(1)
    const [after] = await db.sql<[{ asOf: Date; finishedAt: Date }]>`
      select as_of as "asOf", finished_at as "finishedAt" from view_refreshes, upkeep_runs
      where job = 'refresh_views' and finished_at is not null`
    expect(after.asOf.getTime()).toBeGreaterThanOrEqual(before.now.getTime())
    expect(after.asOf.getTime()).toBeLessThanOrEqual(after.finishedAt.getTime())
  })

  test('that fails leaves all three views and as_of as they were', async () => {
    const asOf = () => db.sql`select as_of from view_refreshes`
    const before = await asOf()
    await db.sql`drop index mv_user_features_user_id`
    await db.sql`update user_accounts set display_name = 'Ada'`
    expect(await db.run('refresh_views')).toMatchObject({ outcome: 'failed' })
    expect(await asOf()).toEqual(before)
    expect(await db.sql`select from mv_users_with_subscription where display_name = 'Ada'`).toHaveLength(0)
    await db.sql`create unique index mv_user_features_user_id on mv_user_features (user_id)`
    expect(await db.run('refresh_views')).toMatchObject({ outcome: 'succeeded' })
    expect(await db.sql`select from mv_users_with_subscription where display_name = 'Ada'`).toHaveLength(1)
  })
})

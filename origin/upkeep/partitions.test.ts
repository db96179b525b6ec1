import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { openUpkeepDatabase, type UpkeepDatabase } from '../../test/support/database/upkeep-database.ts'
import { databaseUrl } from '../../tools/servers/postgres/database-url.ts'

let db: UpkeepDatabase
beforeAll(async () => {
  db = await openUpkeepDatabase()
})
afterAll(() => db.close())
beforeEach(() => db.sql`truncate audit_logs, login_attempts`)

const partitionName = (table: string, at: Date) =>
  `${table}_y${at.getUTCFullYear()}m${String(at.getUTCMonth() + 1).padStart(2, '0')}`

const partitionsOf = async (table: string) =>
  (
    await db.sql<{ name: string }[]>`
      select inhrelid::regclass::text as name from pg_inherits where inhparent = ${table}::regclass order by 1`
  ).map(({ name }) => name)

const audit = (at: string) => db.sql`
  insert into audit_logs (action, created_at) values ('a.b', ${at}::timestamptz) returning created_at as at`

const placed = () => db.sql<{ place: string; at: string }[]>`
  select tableoid::regclass::text as place, (created_at at time zone 'UTC')::date::text as at from audit_logs order by created_at`

/** The first of the month this many months from now, in UTC. */
function month(ahead: number) {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1))
}

describe.each(['audit_logs', 'login_attempts'])('%s', (table) => {
  test('has a partition for this month and the coming three, and one for all the rest', async () => {
    expect(await partitionsOf(table)).toEqual(
      [...[0, 1, 2, 3].map((ahead) => partitionName(table, month(ahead))), `${table}_default`].sort(),
    )
  })

  test('serves each of its lists from an index that ends with (created_at, id)', async () => {
    const rows = await db.sql<{ indexdef: string }[]>`
      select indexdef from pg_indexes where tablename = ${table} and indexdef not like '%UNIQUE%' order by 1`
    expect(rows.map(({ indexdef }) => indexdef.replace(/^.* USING btree /, '')).sort()).toEqual(
      table === 'audit_logs'
        ? ['action, ', 'actor_id, ', '', 'user_id, '].map((key) => `(${key}created_at, id)`).sort()
        : ['lower(email), ', 'ip, ', '', 'user_id, '].map((key) => `(${key}created_at, id)`).sort(),
    )
  })
})

describe('a row', () => {
  test('is stored in the month of its time in UTC, to the microsecond, in any time zone of the session', async () => {
    const next = month(1).toISOString()
    await db.sql.begin(async (transaction) => {
      await transaction`set local timezone to 'Pacific/Auckland'`
      await transaction`
        insert into audit_logs (action, created_at)
        values ('a.b', ${next}::timestamptz), ('a.b', ${next}::timestamptz - interval '1 microsecond')`
    })
    expect((await placed()).map(({ place }) => place)).toEqual([
      partitionName('audit_logs', month(0)),
      partitionName('audit_logs', month(1)),
    ])
  })

  test('of a time without a partition is stored as well', async () => {
    await audit('1999-12-31')
    await audit('2199-01-01')
    expect((await placed()).map(({ place }) => place)).toEqual(['audit_logs_default', 'audit_logs_default'])
  })

  test('has an id that no other partition gives', async () => {
    for (const ahead of [-9, 0, 1, 2, 0]) await audit(month(ahead).toISOString())
    const ids = await db.sql`select distinct id from audit_logs`
    expect(ids).toHaveLength(5)
    await expect(db.sql`insert into audit_logs (id, action) values (1, 'a.b')`).rejects.toMatchObject({
      code: '428C9',
    })
  })

  test('of an account that goes stays without it, in every partition', async () => {
    const [account] = await db.sql<[{ id: string }]>`
      insert into user_accounts (email, password_hash, role_id)
      select 'ada@example.com', 'x', id from roles where name = 'user' returning id`
    for (const ahead of [-9, 0, 1])
      await db.sql`
        insert into login_attempts (email, user_id, succeeded, created_at)
        values ('ada@example.com', ${account.id}, true, ${month(ahead)})`
    await db.sql`delete from user_accounts`
    expect(await db.sql`select user_id from login_attempts`).toEqual([1, 2, 3].map(() => ({ user_id: null })))
    await expect(
      db.sql`insert into login_attempts (email, user_id, succeeded) values ('a@b.c', gen_random_uuid(), true)`,
    ).rejects.toMatchObject({ code: '23503' })
  })
})

describe('make_partitions', () => {
  // As after months without upkeep: the rows went where they could.
  test('makes what is missing and moves the rows of that month out of the default partition', async () => {
    const missing = partitionName('audit_logs', month(2))
    await db.sql`drop table ${db.sql(missing)}`
    await audit(month(2).toISOString())
    await audit('1999-12-31')
    expect((await placed()).map(({ place }) => place)).toEqual(['audit_logs_default', 'audit_logs_default'])
    expect(await db.run('make_partitions')).toEqual({ rows: 1, outcome: 'succeeded', error: null })
    expect((await placed()).map(({ place }) => place)).toEqual(['audit_logs_default', missing])
    expect(await db.run('make_partitions')).toMatchObject({ rows: 0, outcome: 'succeeded' })
  })

  test('gives a partition every check, the foreign key and the indexes', async () => {
    const missing = partitionName('login_attempts', month(3))
    const shape = () => db.sql`
      select (select array_agg(pg_get_constraintdef(oid) order by 1) from pg_constraint
          where conrelid = ${missing}::regclass and contype <> 'n') as constraints,
        (select array_agg(indexdef order by 1) from pg_indexes where tablename = ${missing}) as indexes`
    const before = await shape()
    await db.sql`drop table ${db.sql(missing)}`
    await db.run('make_partitions')
    expect(await shape()).toEqual(before)
    expect(before[0]?.constraints).toHaveLength(6)
    expect(before[0]?.indexes).toHaveLength(5)
  })

  test('gives up after 3 s where another transaction locks the table, and the next run creates them', async () => {
    const missing = partitionName('audit_logs', month(2))
    await db.sql`drop table ${db.sql(missing)}`
    await db.sql.begin(async (transaction) => {
      await transaction`lock table audit_logs_default in access share mode`
      expect(await db.run('make_partitions')).toMatchObject({
        outcome: 'failed',
        error: expect.stringMatching(/^55P03 /),
      })
    })
    expect(await db.run('make_partitions')).toMatchObject({ outcome: 'succeeded' })
    expect(await partitionsOf('audit_logs')).toContain(missing)
  })
})

describe('audit_logs and login_attempts', () => {
  test.each([
    ['audit_logs', 365],
    ['login_attempts', 90],
  ] as const)(
    '%s: months wholly older than %i days are dropped; the default partition loses its old rows',
    async (table, days) => {
      const insert = (at: Date) =>
        table === 'audit_logs'
          ? db.sql`insert into audit_logs (action, created_at) values ('a.b', ${at})`
          : db.sql`insert into login_attempts (email, succeeded, created_at) values ('a@b.c', true, ${at})`
      const daysAgo = (count: number) => new Date(Date.now() - count * 86_400_000)
      const old = daysAgo(days + 65)
      const cut = daysAgo(days)
      await db.sql`select make_partition(${table}, ${old}), make_partition(${table}, ${cut})`
      await insert(old)
      await insert(old)
      await insert(daysAgo(days + 1))
      await insert(daysAgo(days - 1))
      await insert(daysAgo(days + 400))
      await insert(new Date('2199-01-01'))
      await insert(new Date())
      const kept = (await partitionsOf(table)).filter((name) => name !== partitionName(table, old))

      const run = await db.run(table)
      expect(run).toMatchObject({ outcome: 'succeeded' })
      expect(await partitionsOf(table)).toEqual(kept)
      const rows = await db.sql<{ at: Date }[]>`
      select created_at as at from ${db.sql(table)} where created_at < now() - make_interval(days => ${days + 2})`
      expect(rows).toEqual([])
      // A row that is a day too old stays until its month is.
      const left = await db.sql`select from ${db.sql(table)}`
      expect(left.length).toBeGreaterThanOrEqual(3)
      expect(left.length + (run?.rows ?? 0)).toBe(7)
      await db.sql`drop table ${db.sql(partitionName(table, cut))}`
    },
  )
})

// The tables were plain once, and had rows.
test('the migration keeps every row, places it and goes on with the ids', async () => {
  const server = postgres(inject('postgresUrl'), { max: 1 })
  const name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
  await server`create database ${server(name)}`
  const sql = postgres(databaseUrl(inject('postgresUrl'), name), { max: 1, onnotice: () => {} })
  try {
    const folder = new URL('../../sql/', import.meta.url)
    const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
    const apply = async (file: string) => sql.unsafe(await readFile(new URL(file, folder), 'utf8')).simple()
    for (const file of files.slice(0, 5)) await apply(file)
    await sql`
      insert into user_accounts (email, password_hash, role_id) select 'ada@example.com', 'x', id from roles limit 1`
    await sql`
      insert into audit_logs (action, details, created_at)
      select 'a.b', jsonb_build_object('n', n), now() - make_interval(days => n) from generate_series(0, 99) n`
    await sql`
      insert into login_attempts (email, user_id, ip, succeeded, reason, created_at)
      select 'Ada@example.com', id, '192.0.2.1', false, 'account_locked', at
      from user_accounts, unnest(array[now(), '2020-02-29', 'infinity']) at`
    await sql`delete from audit_logs where id = 100`
    const everything = async () => [
      await sql`select * from audit_logs order by id`,
      await sql`select * from login_attempts order by id`,
    ]
    const constraints = () => sql`
      select conrelid::regclass::text as relation, conname, pg_get_constraintdef(oid) as definition from pg_constraint
      where conrelid in ('audit_logs'::regclass, 'login_attempts'::regclass) and contype in ('c', 'f') order by 1, 2`
    const before = [await everything(), await constraints()]

    await sql.begin(async (transaction) => {
      for (const file of files.slice(5, 6))
        await transaction.unsafe(await readFile(new URL(file, folder), 'utf8')).simple()
    })
    expect([await everything(), await constraints()]).toEqual(before)
    const places = await sql<{ place: string }[]>`
      select distinct tableoid::regclass::text as place from login_attempts order by 1`
    expect(places.map(({ place }) => place)).toEqual([
      'login_attempts_default',
      'login_attempts_y2020m02',
      partitionName('login_attempts', new Date()),
    ])
    expect(await sql`select from audit_logs_default`).toHaveLength(0)
    expect(await sql`insert into audit_logs (action) values ('a.b') returning id`).toEqual([{ id: '101' }])
    expect(
      await sql`insert into login_attempts (email, succeeded) values ('a@b.c', true) returning id`,
    ).toEqual([{ id: '4' }])
  } finally {
    await sql.end()
    await server`drop database ${server(name)} with (force)`
    await server.end()
  }
})

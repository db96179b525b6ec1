import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { directUrl, serviceUrl } from '../../tools/servers/postgres/test-database.ts'
import { migrate, requireUsableSchema } from './migrate.ts'

let server: Sql
beforeAll(() => {
  server = postgres(inject('postgresUrl'), { max: 1 })
})
afterAll(() => server.end())

/** Each test has an empty database of its own. */
let name: string
let url: string
let sql: Sql<Record<string, never>>
beforeEach(async () => {
  name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
  await server`create database ${server(name)}`
  url = serviceUrl(name)
  sql = postgres(directUrl(url), { max: 2 })
})
afterEach(async () => {
  await sql.end()
  await server`drop database ${server(name)} with (force)`
})

const tables = () => sql<{ name: string }[]>`
  select table_name as name from information_schema.tables where table_schema = 'public' order by 1`

/** Schema and rows, but for what the database draws anew. */
async function everything() {
  const columns = await sql`
    select table_name, column_name, data_type, column_default, is_nullable
    from information_schema.columns where table_schema = 'public' order by 1, 2`
  const indexes = await sql`select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1`
  const rows = []
  for (const table of await tables()) rows.push(await sql`select * from ${sql(table.name)} order by 1, 2`)
  return { columns, indexes, rows }
}

describe('migrate', () => {
  test('brings an empty database to the newest schema; a second time applies and changes nothing', async () => {
    const applied = await migrate(url)
    expect(applied).toEqual(applied.map((_, index) => index + 1))
    expect(applied.length).toBeGreaterThanOrEqual(2)
    await requireUsableSchema(sql)
    const before = await everything()
    expect(await migrate(url)).toEqual([])
    expect(await everything()).toEqual(before)
  })

  test('makes the thirteen base tables', async () => {
    await migrate(url)
    expect((await tables()).map((table) => table.name)).toEqual(
      expect.arrayContaining([
        'user_accounts',
        'roles',
        'permissions',
        'role_permissions',
        'subscription_plans',
        'features',
        'plan_features',
        'user_subscriptions',
        'tokens',
        'sessions',
        'login_attempts',
        'rate_limit_logs',
        'audit_logs',
      ]),
    )
  })

  test('12 raises a quota that locks all users out, adds a revocation and an audit row', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'before-12-'))
    const isBefore = (file: string) => Number.parseInt(file, 10) < 12
    for (const file of (await readdir('sql')).filter(isBefore))
      await cp(join('sql', file), join(folder, file))
    await migrate(url, folder)
    await rm(folder, { recursive: true })
    await sql`update subscription_plans set api_quota_per_hour = 1 where name = 'free'`
    await migrate(url)
    expect(
      await sql`
      select name, api_quota_per_hour as quota, epoch from subscription_plans where epoch > 0`,
    ).toEqual([{ name: 'free', quota: 60, epoch: 1 }])
    expect(await sql`select scope, subject, epoch from revocations`).toEqual([
      { scope: 'plan', subject: 'free', epoch: 1 },
    ])
    expect(await sql`select action, details from audit_logs`).toEqual([
      {
        action: 'plan.changed',
        details: {
          plan: 'free',
          before: { api_quota_per_hour: 1 },
          after: { api_quota_per_hour: 60 },
          reason: 'migration 12',
        },
      },
    ])
  })

  // Two replicas that start together, each told to migrate.
  test('two at once both succeed: one applies all, the other finds nothing left', async () => {
    const [fewer, more] = (await Promise.all([migrate(url), migrate(url)])).sort(
      (a, b) => a.length - b.length,
    )
    expect(fewer).toEqual([])
    expect(more?.length).toBeGreaterThanOrEqual(2)
    await requireUsableSchema(sql)
  })

  // A file that was changed after it was applied: databases would differ from each other, and
  // nobody know.
  test('rejects a file whose content is not the one that was applied', async () => {
    await migrate(url)
    await sql`update schema_migrations set md5 = 'of another content' where version = 1`
    await expect(migrate(url)).rejects.toThrow(/MD5/i)
  })

  test('that fails in the middle leaves nothing behind, not even what went before', async () => {
    await sql`create table sessions (in_the_way boolean)`
    await expect(migrate(url)).rejects.toThrow(/"sessions" already exists/)
    expect(await tables()).toEqual([{ name: 'sessions' }])
  })

  test('whose connection the server closes fails at once instead of waiting', async () => {
    await sql`create function cut_off() returns event_trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); end $$`
    await sql`create event trigger cut_off on ddl_command_start when tag in ('CREATE TABLE')
      execute function cut_off()`
    await expect(migrate(url)).rejects.toThrow()
  })
})

describe('requireUsableSchema rejects, with what to do,', () => {
  const refusal = /schema version .+, this code needs \d+: run npm run migrate/

  test('an empty database', async () => {
    await expect(requireUsableSchema(sql)).rejects.toThrow(refusal)
  })

  test('an older schema', async () => {
    await migrate(url)
    await sql`delete from schema_migrations where version = (select max(version) from schema_migrations)`
    await expect(requireUsableSchema(sql)).rejects.toThrow(refusal)
  })

  test('a newer schema, as after a rollback of the code', async () => {
    await migrate(url)
    await sql`insert into schema_migrations (version, name, md5) values (9999, 'future', 'x')`
    await expect(requireUsableSchema(sql)).rejects.toThrow(/schema version 9999/)
  })

  test('a newer schema of before migrations said what code they leave running', async () => {
    await migrate(url)
    await sql`insert into schema_migrations (version, name, md5) values (9999, 'future', 'x')`
    await sql`alter table schema_migrations drop column code_since`
    await expect(requireUsableSchema(sql)).rejects.toThrow(/schema version 9999/)
  })
})

// Between the migration and the last restart of a rolling release, and after a rollback, code meets
// a schema newer than itself.
describe('a newer schema', () => {
  let newer: string
  let newest: number
  beforeEach(async () => {
    newer = await mkdtemp(join(tmpdir(), 'gatehouse-sql-'))
    await cp('sql', newer, { recursive: true })
    newest = Math.max(...(await readdir('sql')).map((name) => Number.parseInt(name, 10)))
    await migrate(url)
  })
  afterEach(() => rm(newer, { recursive: true }))

  const add = (version: number, script: string) =>
    writeFile(join(newer, `${String(version).padStart(4, '0')}.do.more.sql`), script)

  test('that says it leaves this code running is used, and not touched by the migrations of this code', async () => {
    await add(newest + 1, `-- Code since schema ${newest}.\nalter table sessions add column nickname text;`)
    expect(await migrate(url, newer)).toEqual([newest + 1])
    await requireUsableSchema(sql)
    expect(await migrate(url)).toEqual([])
    await requireUsableSchema(sql, newer)
  })

  test.each([
    ['that says nothing', () => 'alter table sessions drop column ip;'],
    [
      'whose code is younger than this',
      () => `-- Code since schema ${newest + 1}.\nalter table sessions drop column ip;`,
    ],
  ])('%s is rejected, by origins and by the migrations of this code', async (_, script) => {
    await add(newest + 1, script())
    await migrate(url, newer)
    const refusal = new RegExp(
      `version ${newest + 1}, which code since schema ${newest + 1} runs on; this is of ${newest}:`,
    )
    await expect(requireUsableSchema(sql)).rejects.toThrow(refusal)
    await expect(migrate(url)).rejects.toThrow(refusal)
  })

  test('is as demanding as the most demanding of its migrations', async () => {
    await add(newest + 1, 'alter table sessions drop column ip;')
    await add(newest + 2, `-- Code since schema ${newest}.\nalter table sessions add column nickname text;`)
    await migrate(url, newer)
    await expect(requireUsableSchema(sql)).rejects.toThrow(`code since schema ${newest + 1} runs on`)
  })

  // A report that reads for minutes must not make every login wait behind a migration that waits
  // for it.
  test('is given up, whole, where a table stays in use: it waits for a lock for some seconds only', async () => {
    await add(
      newest + 1,
      'create table unrelated (id integer);\nalter table sessions add column nickname text;',
    )
    const reader = await sql.reserve()
    await reader`begin`
    await reader`select from sessions`
    await expect(migrate(url, newer)).rejects.toThrow('holds the lock of a table')
    await reader`rollback`
    reader.release()
    expect((await tables()).map(({ name }) => name)).not.toContain('unrelated')
    expect(await migrate(url, newer)).toEqual([newest + 1])
  })
})

import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { databaseUrl } from '../test/servers/database-url.ts'
import { migrate, requireNewestSchema } from './migrate.ts'

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
  url = databaseUrl(inject('postgresUrl'), name)
  sql = postgres(url, { max: 2 })
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
    await requireNewestSchema(sql)
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

  // Two replicas that start together, each told to migrate.
  test('two at once both succeed: one applies all, the other finds nothing left', async () => {
    const [fewer, more] = (await Promise.all([migrate(url), migrate(url)])).sort(
      (a, b) => a.length - b.length,
    )
    expect(fewer).toEqual([])
    expect(more?.length).toBeGreaterThanOrEqual(2)
    await requireNewestSchema(sql)
  })

  // A file that was changed after it was applied: databases would differ from each other, and nobody know.
  test('refuses a file whose content is not the one that was applied', async () => {
    await migrate(url)
    await sql`update schema_migrations set md5 = 'of another content' where version = 1`
    await expect(migrate(url)).rejects.toThrow(/MD5/i)
  })

  test('that fails in the middle leaves nothing behind, not even what went before', async () => {
    await sql`create table sessions (in_the_way boolean)`
    await expect(migrate(url)).rejects.toThrow(/"sessions" already exists/)
    expect(await tables()).toEqual([{ name: 'sessions' }])
  })

  test('that is cut off by the server fails at once instead of waiting for ever', async () => {
    await sql`create function cut_off() returns event_trigger language plpgsql as $$
      begin perform pg_terminate_backend(pg_backend_pid()); end $$`
    await sql`create event trigger cut_off on ddl_command_start when tag in ('CREATE TABLE')
      execute function cut_off()`
    await expect(migrate(url)).rejects.toThrow()
  })
})

describe('requireNewestSchema refuses, with what to do,', () => {
  const refusal = /schema version .+, this code needs \d+: run npm run migrate/

  test('an empty database', async () => {
    await expect(requireNewestSchema(sql)).rejects.toThrow(refusal)
  })

  test('an older schema', async () => {
    await migrate(url)
    await sql`delete from schema_migrations where version = (select max(version) from schema_migrations)`
    await expect(requireNewestSchema(sql)).rejects.toThrow(refusal)
  })

  test('a newer schema, as after a rollback of the code', async () => {
    await migrate(url)
    await sql`insert into schema_migrations (version, name, md5) values (9999, 'future', 'x')`
    await expect(requireNewestSchema(sql)).rejects.toThrow(/schema version 9999/)
  })
})

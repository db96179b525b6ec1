import { randomBytes } from 'node:crypto'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest'
import { directUrl, serviceUrl } from '../../tools/servers/postgres/test-database.ts'
import { migrate } from './migrate.ts'

let server: Sql
beforeAll(() => {
  server = postgres(inject('postgresUrl'), { max: 1 })
})
afterAll(() => server.end())

/** A migrated database, and migrations of which one more adds an index to accounts. */
let name: string
let url: string
let sql: Sql<Record<string, never>>
let folder: string
let newest: number
beforeEach(async () => {
  name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
  await server`create database ${server(name)}`
  url = serviceUrl(name)
  await migrate(url)
  sql = postgres(directUrl(url), { max: 3, onnotice: () => {} })
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-sql-'))
  await cp('sql', folder, { recursive: true })
  newest = Math.max(...(await readdir('sql')).map((file) => Number.parseInt(file, 10)))
  await addMigration(
    newest + 1,
    `-- Code since schema ${newest}.\ncreate unique index if not exists by_name on user_accounts (display_name);`,
  )
})
afterEach(async () => {
  await rm(folder, { recursive: true })
  await sql.end()
  await server`drop database ${server(name)} with (force)`
})

const addMigration = (version: number, script: string) =>
  writeFile(join(folder, `${String(version).padStart(4, '0')}.do.more.sql`), script)

const register = (transaction: Pick<typeof sql, 'unsafe'>, email: string, displayName: string) =>
  transaction.unsafe(
    `insert into user_accounts (email, password_hash, display_name, role_id)
    select $1, 'x', $2, id from roles limit 1`,
    [email, displayName],
  )

const indexState = () =>
  sql`select indisvalid as valid from pg_index where indexrelid = to_regclass('by_name')`

const building = () =>
  sql`select from pg_stat_activity where datname = ${name} and query like 'create%index concurrently%' and state = 'active'`

test('accounts are written while a migration builds an index on them, however long a transaction delays it', async () => {
  const older = await sql.reserve()
  await older`begin`
  await register(older, 'ada@example.com', 'Ada')
  const migrated = migrate(url, folder)
  await vi.waitFor(async () => expect(await building()).toHaveLength(1), { timeout: 10_000 })
  await register(sql, 'eve@example.com', 'Eve')
  await older`commit`
  older.release()
  expect(await migrated).toEqual([newest + 1])
  expect(await indexState()).toEqual([{ valid: true }])
})

test('four runs at once build it once', async () => {
  const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(url, folder)))
  expect(applied.flat()).toEqual([newest + 1])
  expect(await indexState()).toEqual([{ valid: true }])
})

test('an index that cannot be built is named, nothing is applied, and the next run builds it', async () => {
  await register(sql, 'ada@example.com', 'Ada')
  await register(sql, 'eve@example.com', 'Ada')
  await expect(migrate(url, folder)).rejects.toThrow(
    /index by_name was not built, and no migration was applied.*unique/,
  )
  expect(await indexState()).toEqual([{ valid: false }])
  expect(await sql`select from schema_migrations where version > ${newest}`).toHaveLength(0)

  await sql`update user_accounts set display_name = 'Eve' where email = 'eve@example.com'`
  expect(await migrate(url, folder)).toEqual([newest + 1])
  expect(await indexState()).toEqual([{ valid: true }])
})

test('an index of a table that the same migrations create is built with it', async () => {
  await addMigration(
    newest + 2,
    'create table notes (text text);\ncreate index if not exists notes_text on notes (text);',
  )
  expect(await migrate(url, folder)).toEqual([newest + 1, newest + 2])
  expect(
    await sql`select indisvalid as valid from pg_index where indexrelid = to_regclass('notes_text')`,
  ).toEqual([{ valid: true }])
})

// The index waits for every transaction with a snapshot, and a client that waits for its turn has
// one.
test('a migration waits for another one that takes longer than 5 s', async () => {
  const other = await sql.reserve()
  await other`begin`
  await other`select pg_advisory_xact_lock('4148305191')`
  const migrated = migrate(url, folder)
  await other`select pg_sleep(6)`
  await other`commit`
  other.release()
  expect(await migrated).toEqual([newest + 1])
})

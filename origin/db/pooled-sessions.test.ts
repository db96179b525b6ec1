import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { startPgBouncer } from '../../tools/servers/postgres/pgbouncer.ts'
import type { RunningServer } from '../../tools/servers/postgres/postgres.ts'
import {
  createTestDatabase,
  directUrl,
  type TestDatabase,
} from '../../tools/servers/postgres/test-database.ts'
import { createCommandDatabase } from './database.ts'
import { migrate, requireUsableSchema } from './migrate.ts'
import { setRoleSettings } from './pooled-sessions.ts'

let database: TestDatabase
let pooler: RunningServer
let direct: Sql
let url: string
beforeAll(async () => {
  database = await createTestDatabase()
  direct = postgres(directUrl(database.url), { max: 1 })
  await alterRole('reset all')
  pooler = await startPgBouncer(directUrl(database.url), 2)
  url = `${pooler.url}?pgbouncer=true`
})
afterAll(async () => {
  await alterRole('reset all')
  await direct.end()
  await pooler.stop()
  await database.drop()
})

const alterRole = (change: string) =>
  direct.unsafe(`alter role current_user in database ${new URL(database.url).pathname.slice(1)} ${change}`)

/** As RECONNECT in the console of PgBouncer. Resolves when the pooler serves again. */
async function reconnect(): Promise<void> {
  await direct`
    select pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  await expect.poll(isServed).toBe(true)
}

async function isServed(): Promise<boolean> {
  const sql = postgres(pooler.url, { max: 1, prepare: false })
  try {
    await sql`select`
    return true
  } catch {
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function start(): Promise<void> {
  const sql = createCommandDatabase(url, createCapturedLog('database').log)
  try {
    await requireUsableSchema(sql)
  } finally {
    await sql.end({ timeout: 0 })
  }
}

test('behind a pooler the origin and the commands reject sessions without the limits of npm run migrate, and accept those after it', async () => {
  await expect(start()).rejects.toThrow(
    /^Sessions behind the pooler have client_connection_check_interval 0, idle_in_transaction_session_timeout 0, lock_timeout 0, statement_timeout 0: run npm run migrate/,
  )
  expect(await migrate(url)).toEqual([])
  await start()
})

test.each([
  ['statement_timeout', '0'],
  ['bytea_output', 'escape'],
  ['default_transaction_isolation', 'serializable'],
])('they reject a role whose %s is %s', async (name, value) => {
  await migrate(url)
  await alterRole(`set ${name} = '${value}'`)
  await reconnect()
  await expect(start()).rejects.toThrow(
    `Sessions behind the pooler have ${name} ${value}: run npm run migrate`,
  )
  await migrate(url)
  await start()
})

/** Sessions of the pooler that began before their role had its settings: they have no timeouts. */
async function withOldSession<Result>(work: (old: Sql) => Promise<Result>): Promise<Result> {
  await alterRole('reset all')
  await reconnect()
  const old = postgres(pooler.url, { max: 1, prepare: false, connection: { application_name: 'gatehouse' } })
  try {
    await old`select`
    return await work(old)
  } finally {
    await old.end({ timeout: 1 })
  }
}

test('a session that is older than the settings of its role is ended at the start of an origin, which then starts', async () => {
  await withOldSession(async () => {
    await setRoleSettings(direct)
    await start()
  })
})

test('npm run migrate ends each session with old settings, a busy one as soon as it is idle', async () => {
  await withOldSession(async (old) => {
    const [before] = await direct<[{ now: Date }]>`select clock_timestamp() as now`
    const leaving = Promise.withResolvers<void>()
    const busy = old.begin(async (transaction) => {
      await transaction`select`
      await leaving.promise
    })
    const migrating = migrate(url)
    const settings = () => direct`
      select from pg_db_role_setting
      where setdatabase = (select oid from pg_database where datname = current_database())`
    await expect.poll(async () => (await settings()).length).toBeGreaterThan(0)
    leaving.resolve()
    await Promise.all([busy, migrating])
    const left = await direct`
      select pid from pg_stat_activity
      where datname = current_database() and application_name = 'gatehouse' and backend_start < ${before.now}`
    expect(left).toHaveLength(0)
    await start()
  })
})

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

let database: TestDatabase
let pooler: RunningServer
let direct: Sql
let url: string
beforeAll(async () => {
  database = await createTestDatabase()
  direct = postgres(directUrl(database.url), { max: 1 })
  await alterRole('reset all')
  pooler = await startPgBouncer(directUrl(database.url), 1)
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

/** As RECONNECT in the console of PgBouncer. */
const reconnect = () => direct`
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid()`

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

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { skipBehindPooler } from '../../test/support/database/skip-behind-pooler.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { closeSeconds, createDatabase } from './database.ts'
import { isDatabaseUnavailable } from './failures.ts'
import type { Sql } from './types.ts'

const settings = { poolMax: 2, idleSeconds: 5, connectSeconds: 1, statementSeconds: 30 }
const { log } = createCapturedLog('database')

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await createTestDatabase()
  sql = createDatabase({ ...settings, url: database.url, log })
})
afterAll(async () => {
  await sql.end({ timeout: closeSeconds })
  await database.drop()
})

async function errorOf(action: Promise<unknown>) {
  try {
    await action
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** The outcome of the first query with changed parts of the URL. */
async function errorAt(change: (url: URL) => void) {
  const url = new URL(database.url)
  change(url)
  const other = createDatabase({ ...settings, url: url.href, log })
  try {
    return await errorOf(other`select 1`)
  } finally {
    await other.end()
  }
}

describe('the database is unavailable, so a retry may succeed, where', () => {
  test('nothing listens', async () => {
    const port = String(await findFreePort())
    const error = await errorAt((url) => {
      url.port = port
    })
    expect(error).toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('its name is not found', async () => {
    const error = await errorAt((url) => {
      url.hostname = 'database.invalid'
    })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('it does not exist, as between a failover and a restore', async (context) => {
    skipBehindPooler(context)
    const error = await errorAt((url) => {
      url.pathname = 'no_such_database'
    })
    expect(error).toMatchObject({ code: '3D000' })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('it rejects our name or password, as while they are being changed', async (context) => {
    skipBehindPooler(context)
    const error = await errorAt((url) => {
      url.username = 'nobody_known'
    })
    expect(error).toMatchObject({ code: expect.stringMatching(/^28/) })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('a statement took longer than its timeout', async (context) => {
    skipBehindPooler(context)
    const hasty = createDatabase({ ...settings, url: database.url, statementSeconds: 0.02, log })
    const error = await errorOf(hasty`select pg_sleep(5)`)
    await hasty.end()
    expect(error).toMatchObject({ code: '57014' })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('a statement waited too long for a lock', async (context) => {
    skipBehindPooler(context)
    const hasty = createDatabase({ ...settings, url: database.url, lockSeconds: 0.05, log })
    const error = await sql.begin(async (transaction) => {
      await transaction`lock table user_accounts in access exclusive mode`
      return errorOf(hasty`select from user_accounts`)
    })
    await hasty.end()
    expect(error).toMatchObject({ code: '55P03' })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('an administrator ended our connection under a query', async () => {
    const error = await errorOf(sql`select pg_terminate_backend(pg_backend_pid())`)
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('its disk is full', async () => {
    const error = await errorOf(
      sql`do $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$`,
    )
    expect(error).toMatchObject({ code: '53100' })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })

  test('it accepts no writes, as after a failover to a replica', async () => {
    const error = await errorOf(
      sql.begin('read only', (transaction) => transaction`delete from user_accounts`),
    )
    expect(error).toMatchObject({ code: '25006' })
    expect(isDatabaseUnavailable(error)).toBe(true)
  })
})

describe('the database is available, so that a retry changes nothing, where', () => {
  test.each([
    ['a statement is wrong', 'selec 1'],
    ['a table is missing', 'select 1 from no_such_table'],
    ['a constraint is broken', `insert into roles (name, level, description) values ('user', 1, '')`],
    ['a text has a zero byte', String.raw`select convert_from('\x00', 'UTF8')`],
  ])('%s', async (_, statement) => {
    const error = await errorOf(sql.unsafe(statement))
    expect(error).toMatchObject({ name: 'PostgresError' })
    expect(isDatabaseUnavailable(error)).toBe(false)
  })

  test('an error that is not of the database', () => {
    expect(isDatabaseUnavailable(new TypeError('x is not a function'))).toBe(false)
    expect(isDatabaseUnavailable({ code: 'ECONNREFUSED' })).toBe(false)
  })
})

import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { closeSeconds, createDatabase } from './database.ts'
import { isDatabaseUnavailable } from './failures.ts'
import type { Sql } from './types.ts'

let database: TestDatabase
let sql: Sql
let server: postgres.Sql
beforeAll(async () => {
  database = await createTestDatabase()
  server = postgres(inject('postgresUrl'), { max: 1 })
  sql = createDatabase({
    url: database.url,
    poolMax: 3,
    idleSeconds: 30,
    connectSeconds: 5,
    statementSeconds: 10,
    log: createCapturedLog('database').log,
  })
  await sql`create table notes (note text primary key)`
})
beforeEach(() => sql`truncate notes`)
afterAll(async () => {
  await sql.end({ timeout: closeSeconds })
  await server.end()
  await database.drop()
})

const notes = async () => (await sql`select note from notes order by note`).map(({ note }) => note)

/**
 * Ends the connections of the pool as an administrator, a failover or a crash does; returns how
 * many there were.
 */
async function cutConnections(doing = '%') {
  const name = new URL(database.url).pathname.slice(1)
  const rows = await server`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${name} and query like ${doing} and application_name = 'gatehouse'`
  return rows.length
}

/** Cuts the connection that runs the statement, as soon as it does. */
async function cutWhile(doing: string) {
  while ((await cutConnections(doing)) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** The loss of a connection may show once more, on the next statement that meets it. */
async function recovered() {
  for (let tries = 0; tries < 5; tries += 1) {
    const rows = await sql`select 1 as one`.catch(() => undefined)
    if (rows) return rows[0]?.one
  }
}

describe('a transaction', () => {
  test('commits what its work did and returns what it returned', async () => {
    const returned = await sql.begin(async (transaction) => {
      await transaction`insert into notes values ('kept')`
      return 7
    })
    expect(returned).toBe(7)
    expect(await notes()).toEqual(['kept'])
  })

  test('rolls back what its work did before it threw, and throws the same', async () => {
    const thrown = new Error('not this time')
    const ended = sql.begin(async (transaction) => {
      await transaction`insert into notes values ('gone')`
      throw thrown
    })
    await expect(ended).rejects.toBe(thrown)
    await expect(
      sql.begin(async (transaction) => {
        await transaction`insert into notes values ('gone')`
        await transaction`insert into notes values ('gone')`
      }),
    ).rejects.toMatchObject({ code: '23505' })
    expect(await notes()).toEqual([])
  })

  test('takes its options', async () => {
    const ended = sql.begin('read only', (transaction) => transaction`insert into notes values ('gone')`)
    await expect(ended).rejects.toMatchObject({ code: '25006' })
  })
})

// postgres.js alone would end the process here, and every other request with it: vitest reports
// that as an unhandled error.
describe('a transaction whose connection is lost rejects as unavailable, leaves nothing, and the pool goes on:', () => {
  test('under a statement', async () => {
    const ended = sql.begin(async (transaction) => {
      await transaction`insert into notes values ('gone')`
      await transaction`select pg_sleep(10)`
    })
    const [error] = await Promise.all([ended.catch((reason) => reason), cutWhile('%pg_sleep%')])
    expect(isDatabaseUnavailable(error)).toBe(true)
    expect(await recovered()).toBe(1)
    expect(await notes()).toEqual([])
  })

  test('by the statement itself', async () => {
    const ended = sql.begin(async (transaction) => {
      await transaction`insert into notes values ('gone')`
      await transaction`do $$ begin perform pg_terminate_backend(pg_backend_pid()); end $$`
    })
    expect(isDatabaseUnavailable(await ended.catch((reason) => reason))).toBe(true)
    expect(await recovered()).toBe(1)
    expect(await notes()).toEqual([])
  })

  test.each([
    ['returns', async () => 'signed'],
    ['throws', async () => Promise.reject(new Error('signing failed'))],
  ])('while its work does something else after its last statement and then %s', async (_, last) => {
    let worked: Promise<unknown> = Promise.resolve()
    const ended = sql.begin(async (transaction) => {
      await transaction`insert into notes values ('gone')`
      await cutConnections('%insert into notes%')
      await new Promise((resolve) => setTimeout(resolve, 30))
      worked = last()
      return worked
    })
    expect(isDatabaseUnavailable(await ended.catch((reason) => reason))).toBe(true)
    // The work goes on behind the answer; what it ends with must not reach the connection any more.
    await new Promise((resolve) => setTimeout(resolve, 50))
    await worked.catch(() => {})
    expect(await recovered()).toBe(1)
    expect(await notes()).toEqual([])
  })
})

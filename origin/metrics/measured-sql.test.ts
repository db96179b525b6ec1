import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { closeSeconds, createDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { type MeasuredQuery, measureQueries, type PoolLoad } from './measured-sql.ts'
import { logSlowQueries } from './slow-queries.ts'

const { log, lines } = createCapturedLog('origin')

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

let sql: Sql
let load: () => PoolLoad
let queries: MeasuredQuery[]
beforeEach(() => {
  queries = []
  const logSlow = logSlowQueries(log, 100)
  const measured = measureQueries(
    createDatabase({
      url: database.url,
      poolMax: 2,
      idleSeconds: 5,
      connectSeconds: 5,
      statementSeconds: 30,
      log,
    }),
    (query) => {
      queries.push(query)
      logSlow(query)
    },
  )
  sql = measured.sql
  load = measured.load
})
afterEach(() => sql.end({ timeout: closeSeconds }))

const statements = () => queries.map(({ statement }) => statement)

describe('each query is measured once', () => {
  test('by its first words, whichever way it is awaited', async () => {
    await sql`select 1`
    const query = sql`
      update roles set level = level where name = ${'nobody'}`
    await query.then(() => query)
    await sql`select 1`.catch(() => {})
    await sql`select 1`.finally(() => {})
    expect(statements()).toEqual(['select', 'update roles', 'select', 'select'])
  })

  test('with its fragments, which are no queries', async () => {
    const fragment = sql`where name = ${'user'}`
    const rows = await sql`select name from roles ${fragment} and name in ${sql(['user', 'admin'])}`
    expect(rows).toEqual([{ name: 'user' }])
    expect(statements()).toEqual(['select'])
  })

  test('inside a transaction, whose result and rejection are as they were', async () => {
    const result = await sql.begin(async (transaction) => {
      await transaction`select 1`
      const [row] = await transaction<[{ two: number }]>`with two as (select 2 as two) select two from two`
      return row.two
    })
    expect(result).toBe(2)
    await expect(
      sql.begin(async (transaction) => {
        await transaction`delete from roles where name = 'nobody'`
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(statements()).toEqual(['select', 'with', 'delete from roles'])
  })

  test('as failed where it fails, and the caller gets the error', async () => {
    await expect(sql`select 1 / 0`).rejects.toMatchObject({ code: '22012' })
    expect(queries).toEqual([expect.objectContaining({ statement: 'select', failed: true })])
  })

  test('with its place in the code in the stack of a failure', async () => {
    const fail = () => sql`select 1 / 0`
    for (const _ of [1, 2])
      await expect(fail()).rejects.toThrow(
        expect.objectContaining({ stack: expect.stringMatching(/at fail .*measured-sql\.test\.ts/) }),
      )
  })

  test('not where it is not awaited, as it never runs', async () => {
    void sql`select 1`
    await sql`select 2`
    expect(queries).toHaveLength(1)
  })
})

describe('the load of the pool', () => {
  test('counts transactions and queries in progress', async () => {
    expect(load()).toEqual({ max: 2, inUse: 0, waiting: 0 })
    await sql.begin(async (transaction) => {
      await transaction`select 1`
      expect(load()).toEqual({ max: 2, inUse: 1, waiting: 0 })
    })
    expect(load()).toEqual({ max: 2, inUse: 0, waiting: 0 })
  })

  test('counts waiting queries, and is empty again after rejections', async () => {
    const blocked = Promise.withResolvers<void>()
    const holding = [1, 2].map(() => sql.begin(() => blocked.promise))
    const waiting = expect(sql`select 1 / 0`).rejects.toThrow()
    await expect.poll(load).toEqual({ max: 2, inUse: 2, waiting: 1 })
    blocked.resolve()
    await Promise.all([...holding, waiting])
    expect(load()).toEqual({ max: 2, inUse: 0, waiting: 0 })
  })
})

describe('the log of slow queries', () => {
  const logged = (text: string) => lines.filter(({ msg, query }) => msg === 'slow query' && query === text)

  test('has a query without its values', async () => {
    await sql`select pg_sleep(0.2), ${'a secret'} as text`
    expect(logged('select pg_sleep(0.2), ? as text')).toEqual([
      expect.objectContaining({ level: 'warn', duration_ms: expect.any(Number), failed: false }),
    ])
  })

  test('has those that took as long as the limit, and none that were faster', () => {
    const logSlow = logSlowQueries(log, 100)
    for (const seconds of [0.099, 0.1])
      logSlow({ statement: 'select', seconds, failed: false, text: () => `select ${seconds}` })
    expect(logged('select 0.099')).toEqual([])
    expect(logged('select 0.1')).toHaveLength(1)
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import { createTcpProxy, type TcpProxy } from '../../../test/support/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../../../tools/servers/postgres/test-database.ts'
import { createDatabase } from '../database.ts'
import { isDatabaseUnavailable } from '../failures.ts'
import type { Queryable, Sql } from '../types.ts'

const { log } = createCapturedLog('database')
const settings = { poolMax: 3, idleSeconds: 60, connectSeconds: 2, statementSeconds: 1, log }

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

let proxy: TcpProxy
let sql: Sql
beforeEach(async () => {
  const { hostname, port } = new URL(database.url)
  proxy = await createTcpProxy({ host: hostname, port: Number(port) })
  const url = new URL(database.url)
  url.port = `${proxy.port}`
  sql = createDatabase({ ...settings, url: url.href })
  await Promise.all(Array.from({ length: settings.poolMax }, () => sql`select pg_sleep(0.01)`))
})
afterEach(async () => {
  await sql.end({ timeout: 0 })
  await proxy.close()
})

/** As `createDatabase` has it for these settings. */
const silenceMs = 2000

/** As `watchConnection` has it. */
const settledMs = 5000

/** Other idle connections of the pool learn a moment later that they are lost. */
const eventually = <T>(statement: () => Promise<T>) => vi.waitFor(statement, { timeout: 2000, interval: 50 })

const rejection = (statement: Promise<unknown>) =>
  statement.then(
    () => {
      throw new Error('it succeeded')
    },
    (error: unknown) => error,
  )

describe('a server that vanished without closing', () => {
  test('each statement is rejected as unavailable, and its connection is replaced', async () => {
    proxy.silence()
    const errors = await Promise.all(Array.from({ length: settings.poolMax }, () => rejection(sql`select 1`)))
    expect(errors.map(isDatabaseUnavailable)).toEqual([true, true, true])
    proxy.restore()
    expect(await eventually(() => sql`select 1 as one`)).toEqual([{ one: 1 }])
  })

  test('a transaction in progress is rejected, and the process lives on', async () => {
    const error = await rejection(
      sql.begin(async (transaction) => {
        await transaction`select 1`
        proxy.silence()
        await transaction`select 2`
      }),
    )
    expect(isDatabaseUnavailable(error)).toBe(true)
    proxy.restore()
    await eventually(() => sql.begin((transaction) => transaction`select 1`))
  })

  // The server commits, and the answer is lost: the caller learns that nothing is certain.
  test('a commit whose response is lost is rejected as unavailable', async () => {
    await sql`create table committed (id integer)`
    const error = await rejection(
      sql.begin(async (transaction) => {
        await transaction`insert into committed values (1)`
        proxy.loseReplies()
      }),
    )
    expect(isDatabaseUnavailable(error)).toBe(true)
    proxy.restore()
    expect(await eventually(() => sql`select id from committed`)).toEqual([{ id: 1 }])
  })

  test('in the middle of a response, which had begun to arrive', async () => {
    const rows = sql`select repeat('x', 100000) as text, pg_sleep(0.1) from generate_series(1, 5)`
    const answer = rejection(
      rows.forEach(() => {
        proxy.silence()
      }),
    )
    expect(isDatabaseUnavailable(await answer)).toBe(true)
  })

  test('also on connections that were idle for longer than the deadline', async () => {
    await sleep(silenceMs + 500)
    proxy.silence()
    const errors = await Promise.all(Array.from({ length: settings.poolMax }, () => rejection(sql`select 1`)))
    expect(errors.map(isDatabaseUnavailable)).toEqual([true, true, true])
  })

  test('a connection that waits for nothing stays, however long', async () => {
    const patient = createDatabase({ ...settings, poolMax: 1, url: database.url })
    const pid = async () => (await patient`select pg_backend_pid() as pid`)[0]?.pid
    const first = await pid()
    await sleep(silenceMs + 500)
    expect(await pid()).toBe(first)
    await patient.end()
  })
})

// The driver's own back-off rises to 20 s.
test('however often connecting failed, the pool is back within 2 s of the server', async () => {
  proxy.refuse()
  for (let i = 0; i < 12; i++) await rejection(sql`select 1`)
  proxy.restore()
  const startedAt = performance.now()
  await sql`select 1`
  expect(performance.now() - startedAt).toBeLessThan(2000)
}, 40_000)

test('a connection is replaced at its age, and no statement fails for that', async () => {
  const young = createDatabase({ ...settings, poolMax: 1, connectionSeconds: 1, url: database.url })
  const pids = new Set<number>()
  const until = performance.now() + 1500
  while (performance.now() < until) {
    const [row] = await young<[{ pid: number }]>`select pg_backend_pid() as pid from pg_sleep(0.02)`
    pids.add(row.pid)
  }
  expect(pids.size).toBe(2)
  await young.end()
})

// A name that leads to a new primary does not help a pool that keeps its connections to the old.
test('25006: a connection that accepts no writes is replaced, once it is older than 5 s', async () => {
  const single = createDatabase({ ...settings, poolMax: 1, url: database.url })
  const write = (on: Queryable = single) => on`create table if not exists written (id integer)`
  await single.unsafe('set default_transaction_read_only = on')
  expect(await rejection(write())).toMatchObject({ code: '25006' })
  await sleep(settledMs)
  expect(await rejection(single.begin(write))).toMatchObject({ code: '25006' })
  await eventually(write)
  await single.end()
})

import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fromStreamFields } from '../../shared/auth/revocation.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { createDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { createPublisher } from './publisher.ts'
import { startRevocationRelay } from './relay.ts'

let database: TestDatabase
let redis: PrivateRedis
let sql: Sql
const closers: (() => unknown)[] = []

beforeEach(async () => {
  redis = await startPrivateRedis()
  database = await createTestDatabase()
  sql = connect()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await database.drop()
  await redis.stop()
})

function connect(): Sql {
  const { log } = createCapturedLog('origin')
  const limits = { poolMax: 4, idleSeconds: 5, connectSeconds: 5, statementSeconds: 5 }
  const connected = createDatabase({ url: database.url, log, ...limits })
  closers.push(() => connected.end({ timeout: 1 }))
  return connected
}

/** One replica's publisher. */
async function createReplica() {
  const { log, lines } = createCapturedLog('origin')
  const client = connectRedis(redis.url, log)
  closers.push(() => client.disconnect())
  await new Promise((resolve) => client.once('ready', resolve))
  const { publishDue: publish } = createPublisher({
    sql: connect(),
    redis: client,
    keyPrefix: 'shop:',
    lifeSeconds: 960,
  })
  return { client, publish: () => publish(new AbortController().signal), publishDue: publish, log, lines }
}

const insert = (count: number, from = 0) => sql`
  insert into revocations (scope, subject, epoch)
  select 'user', 'user-' || i, i from generate_series(${from}::int, ${from + count - 1}::int) as i`

async function streamed() {
  const client = new Redis(redis.url)
  try {
    return (await client.xrange('shop:revocations', '-', '+')).map(([, fields]) => fromStreamFields(fields))
  } finally {
    client.disconnect()
  }
}

const unpublished = async () =>
  (await sql`select count(*)::int as count from revocations where published_at is null`)[0]?.count

describe('publishing', () => {
  test('what was committed is in the stream, in order, and marked', async () => {
    const { publish } = await createReplica()
    await insert(3)
    await sql`insert into revocations (scope, subject) values ('session', 'gone')`
    await publish()
    const entries = await streamed()
    expect(entries).toMatchObject([
      { scope: 'user', subject: 'user-0', epoch: 0 },
      { scope: 'user', subject: 'user-1', epoch: 1 },
      { scope: 'user', subject: 'user-2', epoch: 2 },
      { scope: 'session', subject: 'gone', epoch: null },
    ])
    for (const entry of entries) expect((entry?.until ?? 0) - (entry?.at ?? 0)).toBe(960_000)
    expect(await unpublished()).toBe(0)
    await publish()
    expect(await streamed()).toHaveLength(4)
  })

  test('each once, for any number of replicas and rows', async () => {
    const replicas = await Promise.all([createReplica(), createReplica(), createReplica()])
    await insert(3000)
    await Promise.all(replicas.flatMap(({ publish }) => [publish(), publish()]))
    for (const { publish } of replicas) await publish()
    const subjects = (await streamed()).map((entry) => entry?.subject)
    expect(subjects).toHaveLength(3000)
    expect(new Set(subjects).size).toBe(3000)
    expect(await unpublished()).toBe(0)
  })

  test('a row of a transaction in progress is published when it commits', async () => {
    const { publish } = await createReplica()
    await sql.begin(async (slow) => {
      await slow`insert into revocations (scope, subject) values ('session', 'slow')`
      await insert(1)
      await publish()
    })
    expect(await streamed()).toHaveLength(1)
    await publish()
    expect((await streamed()).map((entry) => entry?.subject)).toEqual(['user-0', 'slow'])
  })

  test('entries older than 2 h leave the stream', async () => {
    const { client, publish } = await createReplica()
    const old = Date.now() - 3 * 3600 * 1000
    for (let i = 0; i < 1000; i++) await client.xadd('shop:revocations', `${old}-${i}`, 'scope', 'session')
    await insert(1)
    await publish()
    expect((await streamed()).length).toBeLessThan(200)
  })

  test('a Redis that accepts XADD and rejects EVAL: no entry is appended, in any number of attempts', async () => {
    const { client, publish } = await createReplica()
    await client.call('ACL', 'SETUSER', 'default', '-eval')
    await insert(600)
    for (let i = 0; i < 3; i++) await expect(publish()).rejects.toThrow('NOPERM')
    expect(await streamed()).toHaveLength(0)
    await client.call('ACL', 'SETUSER', 'default', '+eval')
    await publish()
    expect(await streamed()).toHaveLength(600)
  })

  test('Redis gone: the rows stay; back and empty: they are published', async () => {
    const { publish } = await createReplica()
    await redis.kill()
    await insert(2)
    await expect(publish()).rejects.toThrow()
    expect(await unpublished()).toBe(2)
    await redis.restart()
    await expect
      .poll(
        () =>
          publish().then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true)
    expect(await streamed()).toHaveLength(2)
  })

  test('Redis paused: given up after a second, the transaction ends, the rows stay', async () => {
    const { publish } = await createReplica()
    await insert(1)
    redis.pause()
    const startedAt = performance.now()
    await expect(publish()).rejects.toThrow('no answer')
    expect(performance.now() - startedAt).toBeLessThan(2500)
    expect(await unpublished()).toBe(1)
    redis.resume()
    await publish()
    expect(await unpublished()).toBe(0)
  })

  // postgres.js ends the process where a statement meets a connection that went away: see
  // origin/db/transactions.ts.
  test('the database connection lost during a call of Redis: the row stays, and the process too', async () => {
    const { publish } = await createReplica()
    await insert(1)
    redis.pause()
    const publishing = publish().then(
      () => 'published',
      () => 'failed',
    )
    await expect
      .poll(
        () => sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'`,
      )
      .toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    redis.resume()
    expect(await publishing).toBe('failed')
    expect(await unpublished()).toBe(1)
    await publish()
    expect(await unpublished()).toBe(0)
  })
})

describe('the keys beside the stream', () => {
  const everything = async () => {
    const client = new Redis(redis.url)
    try {
      const keys = (await client.keys('shop:revoked*')).sort()
      return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await client.get(key)])))
    } finally {
      client.disconnect()
    }
  }

  test('hold the epoch from which tokens are good, for as long as an older one lives', async () => {
    const { client, publish } = await createReplica()
    await insert(1, 7)
    await sql`insert into revocations (scope, subject) values ('session', 'gone')`
    await publish()
    expect(await everything()).toEqual({
      'shop:revoked': '1',
      'shop:revoked:session:gone': '9007199254740991',
      'shop:revoked:user:user-7': '7',
    })
    const left = await client.pttl('shop:revoked:user:user-7')
    expect(left).toBeGreaterThan(900_000)
    expect(left).toBeLessThanOrEqual(960_000)
  })

  test('a lower epoch never takes the place of a higher one', async () => {
    const { publish } = await createReplica()
    for (const epoch of [5, 4, 6])
      await sql`insert into revocations (scope, subject, epoch) values ('plan', 'pro', ${epoch})`.then(
        publish,
      )
    await sql`insert into revocations (scope, subject, epoch) values ('plan', 'pro', 3)`
    await publish()
    expect((await everything())['shop:revoked:plan:pro']).toBe('6')
  })

  test('are all written again where Redis lost them, before they count as complete', async () => {
    const { client, publish } = await createReplica()
    await insert(700)
    await publish()
    await client.flushall()
    await publish()
    const keys = await everything()
    expect(Object.keys(keys)).toHaveLength(701)
    expect(keys['shop:revoked']).toBe('1')
  })

  // A replica that is promoted may have lost the newest writes.
  test('are all written again after a connection was lost, even if Redis still has them', async () => {
    const { client, publish } = await createReplica()
    await insert(2)
    await publish()
    const admin = new Redis(redis.url)
    closers.push(() => admin.disconnect())
    await admin.del('shop:revoked:user:user-1')
    await admin.call('CLIENT', 'KILL', 'SKIPME', 'yes')
    await new Promise((resolve) => client.once('ready', resolve))
    await publish()
    expect(Object.keys(await everything())).toEqual([
      'shop:revoked',
      'shop:revoked:user:user-0',
      'shop:revoked:user:user-1',
    ])
  })

  test('stop counting as complete 3 s after the origin was here last', async () => {
    const { client, publish } = await createReplica()
    await publish()
    const left = await client.pttl('shop:revoked')
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(3000)
    await client.pexpire('shop:revoked', 1000)
    await publish()
    expect(await client.pttl('shop:revoked')).toBeGreaterThan(1000)
  })

  test('do not count as complete while a row cannot be published', async () => {
    const { client, publish } = await createReplica()
    await insert(1)
    await client.set('shop:revocations', 'in the way of the stream')
    await expect(publish()).rejects.toThrow('WRONGTYPE')
    expect(await everything()).not.toHaveProperty('shop:revoked')
  })
})

describe('the relay', () => {
  test('publishes within 0.5 s, and logs once that it fails and once that it has recovered', async () => {
    const { publishDue, log, lines } = await createReplica()
    const relay = startRevocationRelay({ publish: publishDue, log })
    closers.push(() => relay.stop())
    await insert(1)
    await expect.poll(unpublished, { timeout: 500, interval: 20 }).toBe(0)
    await redis.kill()
    await insert(1, 1)
    const said = (text: string) => lines.filter(({ msg }) => String(msg).includes(text)).length
    await expect.poll(() => said('not published'), { timeout: 2000 }).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(said('not published')).toBe(1)
    await redis.restart()
    await expect.poll(() => said('published again'), { timeout: 5000 }).toBe(1)
    expect(await unpublished()).toBe(0)
  })

  test('nothing is published after stop', async () => {
    const { publishDue, log } = await createReplica()
    const relay = startRevocationRelay({ publish: publishDue, intervalMs: 5, log })
    await relay.stop()
    await insert(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await unpublished()).toBe(1)
  })
})

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import postgres, { type Sql } from 'postgres'
import { afterEach, describe, expect, test } from 'vitest'
import { minimumPostgresMajor } from './postgres/postgres-binaries.ts'
import { createTestDatabase, directUrl, type TestDatabase } from './postgres/test-database.ts'
import { type PrivateRedis, startPrivateRedis } from './redis/redis.ts'
import { redisForFile } from './redis/test-redis.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanups.splice(0).reverse()) await cleanUp()
})

async function openDatabase(): Promise<TestDatabase & { sql: Sql }> {
  const database = await createTestDatabase()
  const sql = postgres(directUrl(database.url), { max: 2 })
  cleanups.push(() => sql.end())
  return { ...database, sql }
}

function openRedis(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: null, lazyConnect: true })
  // Awaited calls reject; without a listener ioredis prints the error, too.
  redis.on('error', () => {})
  cleanups.push(async () => redis.disconnect())
  return redis
}

async function startRedisOfOurOwn(): Promise<PrivateRedis> {
  const server = await startPrivateRedis()
  cleanups.push(server.stop)
  return server
}

describe('createTestDatabase', () => {
  test('gives a database of a real PostgreSQL server', async () => {
    const { sql, drop } = await openDatabase()
    const [row] = await sql`select current_setting('server_version_num')::int / 10000 as major, version()`
    expect(row?.major).toBeGreaterThanOrEqual(minimumPostgresMajor)
    expect(row?.version).not.toContain('PGlite')
    await drop()
  })

  test('gives every caller rows of its own', async () => {
    const [one, other] = await Promise.all([openDatabase(), openDatabase()])
    await one.sql`create table notes (text text)`
    await one.sql`insert into notes values ('mine')`
    const [seen] = await other.sql`select to_regclass('notes') as notes`
    expect(seen?.notes).toBeNull()
    await Promise.all([one.drop(), other.drop()])
  })

  test('gives the migrated schema', async () => {
    const { sql, drop } = await openDatabase()
    const [seen] = await sql`select count(*)::int as versions from schema_migrations`
    expect(seen?.versions).toBeGreaterThan(0)
    await drop()
  })

  test('serves many callers at once', async () => {
    const databases = await Promise.all(Array.from({ length: 12 }, createTestDatabase))
    expect(new Set(databases.map(({ url }) => url)).size).toBe(12)
    await Promise.all(databases.map(({ drop }) => drop()))
  })

  test('drops a database that still has connections, and cuts them off', async () => {
    const { sql, drop } = await openDatabase()
    await sql`select 1`
    await drop()
    await expect(sql`select 1`).rejects.toThrow()
  })
})

describe('redisForFile', () => {
  test('gives every caller an empty database that no other one sees', async () => {
    const urls = await Promise.all(Array.from({ length: 20 }, redisForFile))
    const clients = urls.map(openRedis)
    await Promise.all(clients.map((client, index) => client.set('key', index)))
    expect(await Promise.all(clients.map((client) => client.get('key')))).toEqual(
      clients.map((_, index) => `${index}`),
    )
    expect(await openRedis(await redisForFile()).dbsize()).toBe(0)
  })
})

describe('startPrivateRedis', () => {
  test('rejects clients once killed, and responds on the same URL once restarted, empty', async () => {
    const server = await startRedisOfOurOwn()
    const firstPid = server.pid
    await openRedis(server.url).set('key', 'value')

    await server.kill()
    await expect(openRedis(server.url).connect()).rejects.toThrow()

    await server.restart()
    expect(await openRedis(server.url).dbsize()).toBe(0)
    expect(server.pid).not.toBe(firstPid)
  })

  test('keeps clients waiting while paused, and responds once resumed', async () => {
    const server = await startRedisOfOurOwn()
    const client = openRedis(server.url)
    await client.set('key', 'value')

    server.pause()
    const answer = client.get('key')
    expect(await Promise.race([answer, sleep(300, 'waiting')])).toBe('waiting')

    server.resume()
    expect(await answer).toBe('value')
  })

  test('leaves no process when it is stopped, even while paused', async () => {
    const server = await startPrivateRedis()
    server.pause()
    await server.stop()
    expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
  })

  test('gives two callers servers of their own', async () => {
    const [one, other] = await Promise.all([startRedisOfOurOwn(), startRedisOfOurOwn()])
    await one.kill()
    expect(await openRedis(other.url).ping()).toBe('PONG')
  })
})

// A drill that is ended while it pauses the primary leaves nobody else to do it.
test('a paused PostgreSQL ends with the process that started it', async () => {
  const program = `
    const { startPrivatePostgres } = await import('./tools/servers/postgres/postgres.ts')
    const server = await startPrivatePostgres()
    await server.pause()
    process.stdout.write(server.dataDir, () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const dataDir = await text(child.stdout)
  const pid = Number.parseInt(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8'), 10)
  await expect.poll(() => existsSync(dirname(dataDir)), { timeout: 40_000 }).toBe(false)
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
}, 60_000)

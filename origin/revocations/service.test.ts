import { Redis } from 'ioredis'
import { afterEach, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { createDatabase } from '../db/database.ts'
import { startRevocations } from './service.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

// A full Redis, or one that became a replica, keeps its connections and replies to PING.
test('a Redis that accepts no writes counts as lost, until it accepts them again', async () => {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const database = await createTestDatabase()
  closers.push(database.drop)
  const { log } = createCapturedLog('origin')
  const limits = { poolMax: 2, idleSeconds: 5, connectSeconds: 5, statementSeconds: 5 }
  const sql = createDatabase({ url: database.url, log, ...limits })
  closers.push(() => sql.end({ timeout: 1 }))
  const revocations = startRevocations({
    sql,
    redisUrl: server.url,
    keyPrefix: 'shop:',
    lifeSeconds: 960,
    log,
  })
  closers.push(revocations.stop)
  const admin = new Redis(server.url)
  closers.push(() => admin.disconnect())
  const state = () =>
    revocations.requireRedis?.().then(
      () => 'up',
      (error: Error) => error.message.split(' ', 1)[0],
    )

  await expect.poll(state).toBe('up')
  await admin.config('SET', 'maxmemory', '1')
  expect(await state()).toBe('OOM')
  await admin.config('SET', 'maxmemory', '0')
  expect(await state()).toBe('up')
})

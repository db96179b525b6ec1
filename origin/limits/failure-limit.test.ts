import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { connectRedis } from '../../shared/node/redis.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis.ts'
import { createFailureLimit, type FailureLimit } from './failure-limit.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function startLimit(failures = 4) {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const connect = async () => {
    const redis = connectRedis(server.url, createCapturedLog('origin').log, { commandTimeoutMs: 50 })
    closers.push(() => redis.disconnect())
    await once(redis, 'ready')
    return redis
  }
  const create = async () =>
    createFailureLimit({
      name: 'login',
      failures,
      windowSeconds: 900,
      redis: await connect(),
      keyPrefix: 'test:',
    })
  return { server, connect, limit: await create(), other: await create() }
}

/** Failures that are let through, of up to ten. */
async function failUntilOver(limit: FailureLimit, key = 'a') {
  for (let failed = 0; failed < 10; failed++) {
    if (await limit.over(key)) return failed
    await limit.failed(key)
  }
  return 10
}

test('over after as many failures as it has, for all origins alike, and another key is not', async () => {
  const { limit, other } = await startLimit()
  await limit.failed('a')
  expect(await failUntilOver(other)).toBe(3)
  expect(await limit.over('b')).toBeUndefined()
  expect(await limit.over('a')).toEqual({
    policies: ['login'],
    retryAfterSeconds: 900,
    headers: { 'ratelimit-policy': '"login";q=4;w=900', ratelimit: '"login";r=0;t=900' },
  })
})

test('the window ends, and the count begins anew', async () => {
  const limit = createFailureLimit({
    name: 'login',
    failures: 1,
    windowSeconds: 1,
    redis: undefined,
    keyPrefix: '',
  })
  expect(await failUntilOver(limit)).toBe(1)
  await expect.poll(() => limit.over('a'), { timeout: 3000 }).toBeUndefined()
})

// Nobody may gain tries by taking Redis down, by filling it, or by keeping it from answering.
test.each<[string, (server: PrivateRedis) => unknown]>([
  ['is killed', (server) => server.kill()],
  ['is paused', (server) => server.pause()],
])('half as many failures where Redis %s, never open, and no wait of seconds', async (_, harm) => {
  const { server, limit } = await startLimit()
  await harm(server)
  const startedAt = performance.now()
  expect(await failUntilOver(limit)).toBe(2)
  expect(performance.now() - startedAt).toBeLessThan(2000)
  expect((await limit.over('a'))?.headers).toMatchObject({ 'ratelimit-policy': '"login";q=2;w=900' })
  server.resume()
})

test('half as many failures where Redis can be read and takes no writes', async () => {
  const { connect, limit } = await startLimit()
  const redis = await connect()
  await redis.config('SET', 'maxmemory', '1')
  expect(await failUntilOver(limit)).toBe(2)
})

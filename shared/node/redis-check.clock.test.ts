import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { type RedisCluster, startRedisCluster } from '../../tools/servers/redis/redis-cluster.ts'
import { type SentinelServers, startRedisSentinel } from '../../tools/servers/redis/redis-sentinel.ts'
import { requireUsableRedis } from './redis-check.ts'

let single: PrivateRedis
let cluster: RedisCluster
let sentinel: SentinelServers
beforeAll(async () => {
  ;[single, cluster, sentinel] = await Promise.all([
    startPrivateRedis(),
    startRedisCluster({ replicas: false }),
    startRedisSentinel({ password: 's3cret' }),
  ])
})
afterAll(() => Promise.all([single.stop(), cluster.stop(), sentinel.stop()]))

const reasonOf = (url: string) =>
  requireUsableRedis(url).then(
    () => undefined,
    (error: Error) => error.message,
  )

describe('REDIS_URL is rejected at start, by name', () => {
  test('one node of a cluster in the form of a single server', async () => {
    expect(await reasonOf(`redis://127.0.0.1:${cluster.nodes[0]?.port}`)).toContain(
      'REDIS_URL: leads to a Redis Cluster',
    )
  })

  test('single servers in the form of a cluster', async () => {
    expect(await reasonOf(`redis-cluster://127.0.0.1:${single.port}`)).toContain(
      'REDIS_URL: leads to one server',
    )
    const ports = [await findFreePort(), single.port]
    expect(await reasonOf(`redis://${ports.map((port) => `127.0.0.1:${port}`)}`)).toContain(
      'REDIS_URL: leads to one server',
    )
  })

  test('a Sentinel in the form of a server, and a server in the form of a Sentinel', async () => {
    expect(await reasonOf(`redis://:s3cret@127.0.0.1:${sentinel.sentinelPorts[0]}`)).toContain(
      'REDIS_URL: leads to a Sentinel',
    )
    expect(await reasonOf(`redis-sentinel://127.0.0.1:${single.port}/gatehouse`)).toContain(
      'REDIS_URL: leads to one server',
    )
  })

  test('a master that the Sentinels do not know', async () => {
    const reason = await reasonOf(sentinel.url.replace('/gatehouse?', '/other?'))
    expect(reason).toContain('REDIS_URL: names a master that its Sentinels do not know')
    expect(reason).not.toContain('s3cret')
  })
})

describe('a Redis that evicts keys is rejected at start', () => {
  const settings = (policy: string, maxmemory = '64mb') => [
    '--maxmemory',
    maxmemory,
    '--maxmemory-policy',
    policy,
  ]

  test.each(['volatile-ttl', 'volatile-lru', 'allkeys-lru', 'allkeys-random'])('%s', async (policy) => {
    const server = await startPrivateRedis({ settings: settings(policy) })
    const reason = await reasonOf(server.url)
    await server.stop()
    expect(reason).toContain(`REDIS_URL: leads to a Redis with maxmemory-policy ${policy}`)
  })

  test('also as the master of Sentinels, and as any node of a cluster', async () => {
    const admins = [new Redis(sentinel.master.port, { password: 's3cret' }), cluster.nodes[1]?.admin as Redis]
    for (const admin of admins) {
      await admin.config('SET', 'maxmemory', '64mb')
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    }
    const reasons = [await reasonOf(sentinel.url), await reasonOf(cluster.url)]
    for (const admin of admins) await admin.config('SET', 'maxmemory', '0')
    admins[0]?.disconnect()
    for (const reason of reasons) expect(reason).toContain('limits and revocations need noeviction')
  })

  test('one that keeps all is taken, and one that forbids CONFIG GET', async () => {
    const keeping = await startPrivateRedis({ settings: settings('noeviction') })
    const unlimited = await startPrivateRedis({ settings: settings('allkeys-lru', '0') })
    const secret = await startPrivateRedis({
      settings: [...settings('allkeys-lru'), '--rename-command', 'CONFIG', ''],
    })
    const reasons = await Promise.all([keeping, unlimited, secret].map(({ url }) => reasonOf(url)))
    await Promise.all([keeping, unlimited, secret].map(({ stop }) => stop()))
    expect(reasons).toEqual([undefined, undefined, undefined])
  })
})

describe('REDIS_URL is taken', () => {
  test('as it fits the servers', async () => {
    expect(await reasonOf(single.url)).toBeUndefined()
    expect(await reasonOf(cluster.url)).toBeUndefined()
    expect(await reasonOf(`redis-cluster://127.0.0.1:${cluster.nodes[0]?.port}`)).toBeUndefined()
    expect(await reasonOf(sentinel.url)).toBeUndefined()
  })

  test('where no server responds, as an outage of Redis keeps no service from starting', async () => {
    expect(await reasonOf(`redis://127.0.0.1:${await findFreePort()}`)).toBeUndefined()
    single.pause()
    expect(await reasonOf(single.url)).toBeUndefined()
    single.resume()
  })
})

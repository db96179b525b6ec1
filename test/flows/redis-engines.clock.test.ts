import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hashSlot } from '../../gateway/adapters/node/hash-slot.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import { requireUsableRedis } from '../../shared/node/redis-check.ts'
import { type Certificates, createCertificates } from '../../tools/servers/process/certificates.ts'
import type { Program } from '../../tools/servers/programs/find-program.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { findValkeyBinary } from '../../tools/servers/redis/redis-binary.ts'
import { startRedisCluster } from '../../tools/servers/redis/redis-cluster.ts'
import { startRedisSentinel } from '../../tools/servers/redis/redis-sentinel.ts'
import { createCapturedLog } from '../support/captured-log.ts'
import { bearer, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { allInRedis, startRedisServices, untilParts } from '../support/full-stack/redis-services.ts'
import { parseList } from '../support/structured-fields.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'
import { describeWith } from '../support/vitest/describe-with.ts'

/** Of `{gatehouse:revocations}revocations`. */
const slotOfStream = hashSlot('gatehouse:revocations')

/** Options of `rediss` URLs, and the files that they name. */
const fileOptions = { ca_file: 'caFile', cert_file: 'clientCertFile', key_file: 'clientKeyFile' } as const

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Engine {
  url: string
  stop: () => Promise<void>
  /** Ends the master of the limits and of the stream. */
  failOver?: () => Promise<void>
}

let people = 0

async function verifyEngine(engine: Engine) {
  closers.push(engine.stop)
  await requireUsableRedis(engine.url)
  const one = await startRedisServices(engine.url, closers)
  const other = await startRedisServices(engine.url, closers, one.remains)
  await verifyServices(one, other)
  if (!engine.failOver) return
  await engine.failOver()
  await verifyServices(one, other)
  expect(await one.sql`select from revocations where published_at is null`).toHaveLength(0)
}

async function verifyServices(one: FullStack, other: FullStack) {
  for (const fullStack of [one, other]) await untilParts(fullStack, allInRedis)
  const { tokens } = await one.signUp(`engine-${people++}@example.com`)
  const headers = bearer(tokens.access_token)
  const left: unknown[] = []
  for (const fullStack of [one, other, one]) {
    const response = await fullStack.call('/v1/me', { headers })
    expect(response.status).toBe(200)
    left.push(parseList(response.headers.get('ratelimit'))[0]?.parameters.r)
  }
  expect(left).toEqual([left[0], (left[0] as number) - 1, (left[0] as number) - 2])
  // The stream's, which is there in 1 s: the feed is read every 4 s.
  await one.post('/auth/logout', { refresh_token: tokens.refresh_token })
  await sleep(1000)
  for (const fullStack of [one, other]) {
    const response = await fullStack.call('/v1/me', { headers })
    expect(response.status).toBe(401)
    expect((await problem(response)).code).toBe('session_ended')
  }
}

/** The rights that the docs say are enough, without the commands that only some engines need. */
const documentedRights = () => {
  const [, rights = ''] =
    /^ACL SETUSER gatehouse on >password ([^`]+)^```/m.exec(readFileSync('docs/engines.md', 'utf8')) ?? []
  return rights.trim().split(/\s+/)
}

test('Redis Cluster, all connections dead without a close: all is in Redis again within 10 s', async () => {
  const cluster = await startRedisCluster({ replicas: false })
  closers.push(cluster.stop)
  const proxies = await Promise.all(
    cluster.nodes.map(async ({ port, admin }) => {
      const proxy = await createTcpProxy({ host: '127.0.0.1', port })
      closers.push(proxy.close)
      await admin.config('SET', 'cluster-announce-port', `${proxy.port}`)
      return proxy
    }),
  )
  // Each node tells its own clients of the others what it was told.
  for (const { admin } of cluster.nodes)
    await expect
      .poll(async () => {
        const slots = await admin.cluster('SLOTS')
        return new Set(slots.map(([, , node]) => node?.[1]))
      })
      .toEqual(new Set(proxies.map(({ port }) => port)))
  const url = `redis://${proxies.map(({ port }) => `127.0.0.1:${port}`)}`
  const world = await startRedisServices(url, closers)
  await untilParts(world, allInRedis)
  for (const proxy of proxies) proxy.abandon()
  const startedAt = performance.now()
  await untilParts(world, { limiter: 'warn' })
  await untilParts(world, allInRedis)
  expect(performance.now() - startedAt).toBeLessThan(10_000)
}, 60_000)

const valkey = await findValkeyBinary()
describeWith('Valkey server', valkey !== undefined)('Valkey', () => {
  test('one server, without TLS: limits are shared and a logout holds within 1 s', async () => {
    const server = await startPrivateRedis({ program: valkey as Program })
    await verifyEngine({ url: server.url, stop: server.stop })
  }, 60_000)

  test('a cluster, without TLS: the same, also after a master is gone', async () => {
    const cluster = await startRedisCluster({ program: valkey as Program })
    await verifyEngine({
      url: cluster.url,
      stop: cluster.stop,
      failOver: async () => cluster.nodes[Math.floor(slotOfStream / 5462)]?.kill(),
    })
  }, 60_000)
})

describe('TLS with a private authority, for clients with a certificate', () => {
  let certificates: Certificates
  beforeAll(async () => {
    certificates = await createCertificates()
  })
  afterAll(() => certificates.remove())

  const withFiles = (url: string, ...names: (keyof typeof fileOptions)[]) => {
    const files = names.map((name) => `${name}=${certificates[fileOptions[name]]}`)
    return `${url}${url.includes('?') ? '&' : '?'}${files.join('&')}`
  }
  const withAllFiles = (url: string) => withFiles(url, 'ca_file', 'cert_file', 'key_file')

  async function stateOf(url: string) {
    const { log, lines } = createCapturedLog('gateway')
    const redis = connectRedis(url, log)
    closers.push(() => redis.disconnect())
    await expect.poll(() => lines.length, { timeout: 5000 }).toBeGreaterThan(0)
    return lines[0]?.msg
  }

  async function verifyTls(engine: Engine) {
    expect(await stateOf(withFiles(engine.url, 'ca_file'))).toBe('redis not reached')
    expect(await stateOf(withFiles(engine.url, 'cert_file', 'key_file'))).toBe('redis not reached')
    await verifyEngine({ ...engine, url: withAllFiles(engine.url) })
  }

  async function startServer() {
    const server = await startPrivateRedis({
      tls: certificates,
      settings: ['--user', 'gatehouse', 'on', '>password', ...documentedRights(), '--user', 'default', 'off'],
    })
    closers.push(server.stop)
    return server.url.replace('://', '://gatehouse:password@')
  }

  test('one server, a user with the documented rights: limits are shared and a logout holds within 1 s', async () => {
    await verifyTls({ url: await startServer(), stop: async () => {} })
  }, 60_000)

  test('Redis Cluster, with that user: the same, also after a master is gone', async () => {
    const cluster = await startRedisCluster({ tls: certificates })
    for (const { admin } of cluster.nodes)
      await admin.call('ACL', 'SETUSER', 'gatehouse', 'on', '>password', ...documentedRights())
    await verifyTls({
      url: cluster.url.replace('://', '://gatehouse:password@'),
      stop: cluster.stop,
      failOver: async () => cluster.nodes[Math.floor(slotOfStream / 5462)]?.kill(),
    })
  }, 60_000)

  test('Sentinel, with passwords at servers and Sentinels: the same', async () => {
    const sentinel = await startRedisSentinel({ password: 's3cret', tls: certificates })
    await verifyTls({ url: sentinel.url, stop: sentinel.stop, failOver: () => sentinel.master.kill() })
  }, 60_000)

  test('78: files that cannot be used are named at the start', async () => {
    const url = withAllFiles(await startServer())
    const reasonOf = (text: string) =>
      requireUsableRedis(text).then(
        () => '',
        (error: Error) => error.message,
      )
    expect(await reasonOf(url.replace('ca.pem', 'none.pem'))).toContain(
      'REDIS_URL: ca_file cannot be read (ENOENT)',
    )
    expect(await reasonOf(url.replace('client.key', 'server.key'))).toContain(
      'cert_file and key_file no pair',
    )
    expect(await reasonOf(url.replace('ca.pem', 'ca.key'))).toContain('no certificates in PEM')
    expect(await reasonOf(url)).toBe('')
  })
})

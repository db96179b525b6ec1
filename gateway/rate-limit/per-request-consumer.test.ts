import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import {
  completeMarkerKey,
  endedEpoch,
  type Revocation,
  revocationKey,
} from '../../shared/auth/revocation.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, type GatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import type { Reply } from '../adapters/workers/resp.ts'
import { createStore } from '../adapters/workers/store.ts'
import { createPerRequestBackend } from '../limit-backend.ts'
import { createMemoryStore } from './memory-store.ts'

const keyPrefix = 'gatehouse:'
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface AskingOptions {
  /** Entries of the origin's feed; throws where it cannot be read. */
  feed?: () => Revocation[]
}

/**
 * A gateway that keeps nothing, on a Redis that this test may harm; somebody vouches for the
 * revocations in it.
 */
async function startAsking({ feed = () => [] }: AskingOptions = {}) {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const redis = new Redis(server.url, { maxRetriesPerRequest: 0, retryStrategy: () => 50 })
  redis.on('error', () => {})
  closers.push(() => redis.disconnect())
  await redis.set(completeMarkerKey(keyPrefix), 1)
  const reads: string[] = []
  const harness = await createGatewayHarness({
    createLimitBackend: createPerRequestBackend({
      store: createStore({
        keyPrefix,
        ask: (commands) =>
          Promise.all(
            commands.map(([name = '', ...rest]) => redis.call(String(name), ...rest) as Promise<Reply>),
          ),
      }),
      local: createMemoryStore({ shared: false, now: Date.now }),
      waitUntil: () => {},
    }),
    environment: { GATEWAY_REPLICAS: '4' },
    revocations(target) {
      reads.push(target)
      return { entries: feed(), next: '1' }
    },
  })
  return { server, redis, harness, reads }
}

const sessionEntry = (subject: string): Revocation => ({
  scope: 'session',
  subject,
  epoch: null,
  until: Date.now() + 60_000,
  at: Date.now(),
})

async function outcome(harness: GatewayHarness, token: string) {
  const answer = await harness.call('/closed', { headers: bearer(token) })
  return answer.ok ? 'ok' : `${answer.status} ${(await problem(answer)).code}`
}

async function quotaOf(harness: GatewayHarness, token: string) {
  const answer = await harness.call('/closed', { headers: bearer(token) })
  return parseList(answer.headers.get('ratelimit-policy'))[0]?.parameters.q
}

async function lose(server: PrivateRedis) {
  await server.kill()
}

describe('a gateway that calls the store for each request', () => {
  test('401 session_ended, 401 claims_stale: at once, and the feed is never read', async () => {
    const { redis, harness, reads } = await startAsking()
    const sid = crypto.randomUUID()
    const token = await harness.issuer.sign({ sid })
    expect(await outcome(harness, token)).toBe('ok')
    await redis.set(revocationKey(keyPrefix, { scope: 'session', subject: sid }), endedEpoch)
    expect(await outcome(harness, token)).toBe('401 session_ended')
    const stale = await harness.issuer.sign({ plan: 'pro', epoch: { user: 1, role: 1, plan: 1 } })
    await redis.set(revocationKey(keyPrefix, { scope: 'plan', subject: 'pro' }), 2)
    expect(await outcome(harness, stale)).toBe('401 claims_stale')
    expect(reads).toEqual([])
  })

  test('a request that fails with a 4xx refunds no token', async () => {
    const { harness } = await startAsking()
    const token = await harness.issuer.sign({ quota: 2 })
    const outcomes = [
      await outcome(harness, token),
      await outcome(harness, token),
      await outcome(harness, token),
    ]
    expect(outcomes).toEqual(['ok', 'ok', '429 rate_limited'])
  })
})

describe('Redis is lost', () => {
  test('limits count locally, at the share of this gateway; the feed says what was revoked', async () => {
    const sid = crypto.randomUUID()
    const { server, harness } = await startAsking({ feed: () => [sessionEntry(sid)] })
    await lose(server)
    const token = await harness.issuer.sign({ quota: 100 })
    expect(await quotaOf(harness, token)).toBe(25)
    expect(await outcome(harness, await harness.issuer.sign({ sid }))).toBe('401 session_ended')
  })

  test('503 revocations_unavailable: store and feed are both away; public requests are served', async () => {
    const { server, harness } = await startAsking({
      feed: () => {
        throw new Error('the origin is down')
      },
    })
    await lose(server)
    expect(await outcome(harness, await harness.issuer.sign())).toBe('503 revocations_unavailable')
    expect((await harness.call('/open')).status).toBe(200)
  })

  test('what the feed said stays in force when it cannot be read any more', async () => {
    const sid = crypto.randomUUID()
    let down = false
    const { server, harness } = await startAsking({
      feed: () => {
        if (down) throw new Error('the origin is down')
        return [sessionEntry(sid)]
      },
    })
    await lose(server)
    expect(await outcome(harness, await harness.issuer.sign())).toBe('ok')
    down = true
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect(await outcome(harness, await harness.issuer.sign())).toBe('ok')
    expect(await outcome(harness, await harness.issuer.sign({ sid }))).toBe('401 session_ended')
  })

  test('back again: the store is used within seconds, and readiness names the source in use', async () => {
    const { server, redis, harness } = await startAsking()
    const token = await harness.issuer.sign({ quota: 100 })
    await lose(server)
    expect(await quotaOf(harness, token)).toBe(25)
    const revocations = async () => {
      const answer = (await (await harness.call('/ready')).json()) as { checks: Record<string, unknown> }
      return answer.checks.revocations
    }
    expect(await revocations()).toMatchObject({ status: 'warn', detail: 'feed' })
    await server.restart()
    await expect
      .poll(() => redis.set(completeMarkerKey(keyPrefix), 1).catch(() => null), { timeout: 5000 })
      .toBe('OK')
    await expect.poll(() => quotaOf(harness, token), { timeout: 5000 }).toBe(100)
    await expect.poll(revocations, { timeout: 5000 }).toMatchObject({ status: 'pass', detail: 'store' })
  })
})

// It answers PING, and finds all that is revoked.
test('Redis accepts no writes: limits count locally and readiness warns, until it accepts them again', async () => {
  const { redis, harness } = await startAsking()
  const token = await harness.issuer.sign({ quota: 100 })
  const limiter = async () => {
    const answer = (await (await harness.call('/ready')).json()) as { checks: Record<string, unknown> }
    return answer.checks.limiter
  }
  expect(await quotaOf(harness, token)).toBe(100)
  await redis.config('SET', 'maxmemory', '1')
  expect(await quotaOf(harness, token)).toBe(25)
  await expect.poll(limiter, { timeout: 5000 }).toMatchObject({
    status: 'warn',
    detail: 'local, redis refuses with OOM',
  })
  await redis.config('SET', 'maxmemory', '0')
  await redis.set(completeMarkerKey(keyPrefix), 1)
  await expect.poll(() => quotaOf(harness, token), { timeout: 5000 }).toBe(100)
  await expect.poll(limiter, { timeout: 5000 }).toMatchObject({ status: 'pass', detail: 'redis' })
})

test('Redis is up but its revocation keys are incomplete: the feed decides, Redis still counts', async () => {
  const sid = crypto.randomUUID()
  const { redis, harness } = await startAsking({ feed: () => [sessionEntry(sid)] })
  await redis.del(completeMarkerKey(keyPrefix))
  expect(await outcome(harness, await harness.issuer.sign({ sid }))).toBe('401 session_ended')
  expect(await quotaOf(harness, await harness.issuer.sign({ quota: 100 }))).toBe(100)
})

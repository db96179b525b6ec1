import { expect } from 'vitest'
import { createRateLimiting } from '../../../gateway/adapters/node/rate-limit-store.ts'
import { createRevocationStream } from '../../../gateway/adapters/node/revocation-stream.ts'
import { createCapturedLog } from '../captured-log.ts'
import { createWorld, type World } from './full-stack.ts'

/**
 * A gateway, one of two, and an origin with their Redis, as they run in production.
 *
 * @param closers filled with what ends all that is started
 */
export async function startRedisServices(
  redisUrl: string,
  closers: (() => unknown)[],
  remains?: World['remains'],
): Promise<World> {
  const { log } = createCapturedLog('gateway')
  const keyPrefix = 'gatehouse:'
  const limiting = createRateLimiting({ redisUrl, keyPrefix, replicas: 2, now: Date.now, log })
  closers.push(limiting.close)
  const world = await createWorld({
    environment: { REDIS_URL: redisUrl, GATEWAY_REPLICAS: '2' },
    rateLimitStore: limiting.rateLimitStore,
    revocations: {
      limiterHealth: limiting.health,
      revocationTickMs: 1000,
      revocationStream: createRevocationStream({ redisUrl, keyPrefix, log }),
    },
    ...(remains && { remains }),
  })
  closers.push(world.close)
  return world
}

/** What gateway and origin say of their work in Redis. */
async function redisParts(world: World) {
  const checks = async (response: Response) =>
    ((await response.json()) as { checks: Record<string, { status: string; detail?: string }> }).checks
  const gateway = await checks(await world.call('/ready'))
  const origin = await checks(await world.originFetch('/health'))
  return {
    limiter: gateway.limiter?.status,
    revocations: gateway.revocations?.detail,
    originLimiter: origin.limiter?.status,
    originRedis: origin.redis?.status,
  }
}

export const allInRedis = {
  limiter: 'pass',
  revocations: 'stream',
  originLimiter: 'pass',
  originRedis: 'pass',
}

export const untilParts = (world: World, parts: typeof allInRedis) =>
  expect.poll(() => redisParts(world), { timeout: 20_000, interval: 100 }).toEqual(parts)

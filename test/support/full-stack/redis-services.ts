import { expect } from 'vitest'
import { createRateLimitStore } from '../../../gateway/adapters/node/rate-limit-store.ts'
import { createRevocationStream } from '../../../gateway/adapters/node/revocation-stream.ts'
import { createCapturedLog } from '../captured-log.ts'
import { createFullStack, type FullStack } from './full-stack.ts'

/**
 * A gateway, one of two, and an origin with their Redis, as they run in production.
 *
 * @param closers receives the functions that stop what is started
 */
export async function startRedisServices(
  redisUrl: string,
  closers: (() => unknown)[],
  remains?: FullStack['remains'],
): Promise<FullStack> {
  const { log } = createCapturedLog('gateway')
  const keyPrefix = 'gatehouse:'
  const limiting = createRateLimitStore({ redisUrl, keyPrefix, replicas: 2, now: Date.now, log })
  closers.push(limiting.close)
  const fullStack = await createFullStack({
    environment: { REDIS_URL: redisUrl, GATEWAY_REPLICAS: '2' },
    rateLimitStore: limiting.rateLimitStore,
    limiterHealth: limiting.health,
    revocations: {
      revocationTickMs: 1000,
      revocationStream: createRevocationStream({ redisUrl, keyPrefix, log }),
    },
    ...(remains && { remains }),
  })
  closers.push(fullStack.close)
  return fullStack
}

/** The state of gateway's and origin's work in Redis. */
async function redisParts(fullStack: FullStack) {
  const checks = async (response: Response) =>
    ((await response.json()) as { checks: Record<string, { status: string; detail?: string }> }).checks
  const gateway = await checks(await fullStack.call('/ready'))
  const origin = await checks(await fullStack.originFetch('/health'))
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

export const untilParts = (fullStack: FullStack, parts: Partial<typeof allInRedis>) =>
  expect.poll(() => redisParts(fullStack), { timeout: 20_000, interval: 100 }).toMatchObject(parts)

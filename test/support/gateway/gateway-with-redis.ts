import { expect } from 'vitest'
import { createRateLimitStore } from '../../../gateway/adapters/node/rate-limit-store.ts'
import { startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { createCapturedLog } from '../captured-log.ts'
import { parseList } from '../structured-fields.ts'
import { createGatewayHarness } from './gateway-harness.ts'

interface Options {
  /** Requests of one address in Redis; a quarter of them without. */
  quota?: number | undefined
  now?: () => number
  /** Where the gateway finds Redis, by the URL of the server itself. */
  reach?: (url: string) => Promise<string>
  /** Whether the gateway can be expected to count in Redis from the start. */
  isCounted?: boolean
}

export type GatewayWithRedis = Awaited<ReturnType<typeof startGatewayWithRedis>>

/**
 * A gateway that shares its limits with three others, on a Redis that the test may harm.
 *
 * @param closers receives the functions that stop what is started
 */
export async function startGatewayWithRedis(
  closers: (() => unknown)[],
  { quota = 100, now = Date.now, reach = async (url) => url, isCounted = true }: Options = {},
) {
  const redis = await startPrivateRedis()
  closers.push(redis.stop)
  const { log, lines } = createCapturedLog('gateway')
  const redisUrl = await reach(redis.url)
  const rateLimiting = createRateLimitStore({ redisUrl, keyPrefix: 'test:', replicas: 4, now, log })
  closers.push(rateLimiting.close)
  const harness = await createGatewayHarness({
    rateLimitStore: rateLimiting.rateLimitStore,
    limiterHealth: rateLimiting.health,
    now,
    environment: { GATEWAY_REPLICAS: '4', LIMIT_ADDRESS_REQUESTS: String(quota) },
  })
  const gateway = { redis, rateLimiting, harness, lines }
  if (isCounted) await untilCounted(gateway, quota)
  return gateway
}

type Asked = Pick<GatewayWithRedis, 'harness'>

let callers = 0
const newAddress = () => `10.0.${callers >> 8}.${callers++ & 255}`

/** One request: its status, the limit it was held against, and how long it took. */
export async function measure({ harness }: Asked, address = newAddress()) {
  const startedAt = performance.now()
  const answer = await harness.call('/open', { address })
  const [policy] = parseList(answer.headers.get('ratelimit-policy'))
  return { status: answer.status, quota: policy?.parameters.q, durationMs: performance.now() - startedAt }
}

/**
 * Waits until requests are held against this limit: the whole of it in Redis, a quarter of it
 * without.
 */
export async function untilCounted(gateway: Asked, quota: number) {
  await expect.poll(async () => (await measure(gateway)).quota, { timeout: 5000, interval: 25 }).toBe(quota)
}

/** State of the limits in /health. */
export async function limiterOf({ harness }: Asked) {
  const health = (await (await harness.call('/health')).json()) as Record<string, unknown>
  const { limiter } = health.checks as { limiter: { status: string; detail: string } }
  return { status: health.status, limiter: limiter.status, detail: limiter.detail }
}

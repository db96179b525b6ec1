import { afterEach, expect, test } from 'vitest'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { bearer, problem } from '../support/full-stack/full-stack.ts'
import { allInRedis, startRedisServices, untilParts } from '../support/full-stack/redis-services.ts'
import { parseList } from '../support/structured-fields.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** Gateway and origin that reach Redis in so many milliseconds, there and back. */
async function start(roundTripMs: number) {
  const server = await startPrivateRedis()
  closers.push(server.stop)
  const proxy = await createTcpProxy({ host: '127.0.0.1', port: server.port })
  closers.push(proxy.close)
  proxy.delay(roundTripMs / 2)
  const fullStack = await startRedisServices(`redis://127.0.0.1:${proxy.port}`, closers)
  return {
    fullStack,
    /** Median milliseconds of a request, and the quota that it was held against. */
    async measure(headers: HeadersInit) {
      const durations: number[] = []
      let quota: unknown
      for (let i = 0; i < 9; i++) {
        const startedAt = performance.now()
        const response = await fullStack.call('/v1/me', { headers })
        durations.push(performance.now() - startedAt)
        expect(response.status).toBe(200)
        quota = parseList(response.headers.get('ratelimit-policy'))[0]?.parameters.q
      }
      return { medianMs: durations.toSorted((a, b) => a - b)[4] as number, quota }
    },
    async logoutHoldsAfterMs(refreshToken: string, headers: HeadersInit) {
      const startedAt = performance.now()
      await fullStack.post('/auth/logout', { refresh_token: refreshToken })
      const code = async () => {
        const response = await fullStack.call('/v1/me', { headers })
        return response.ok ? 'ok' : (await problem(response)).code
      }
      await expect.poll(code, { timeout: 10_000, interval: 10 }).toBe('session_ended')
      return performance.now() - startedAt
    },
  }
}

test('30 ms to Redis: limits are shared, requests take 30 ms longer, a logout holds within 1 s', async () => {
  const { fullStack, measure, logoutHoldsAfterMs } = await start(30)
  await untilParts(fullStack, allInRedis)
  const { tokens } = await fullStack.signUp('near@example.com')
  const headers = bearer(tokens.access_token)
  // 20 ms are left for what else this machine does: after one call that takes longer the gateway
  // counts locally for a second.
  const measured: Awaited<ReturnType<typeof measure>>[] = []
  await expect
    .poll(async () => measured.push(await measure(headers)) && measured.at(-1)?.quota, { timeout: 10_000 })
    .toBe(1000)
  expect(measured.at(-1)?.medianMs).toBeGreaterThanOrEqual(29)
  expect(await logoutHoldsAfterMs(tokens.refresh_token, headers)).toBeLessThan(1000)
})

test('200 ms to Redis: limits are local and /ready says so, requests do not wait, a logout holds within 1.5 s', async () => {
  const { fullStack, measure, logoutHoldsAfterMs } = await start(200)
  await untilParts(fullStack, { ...allInRedis, limiter: 'warn', originLimiter: 'warn' })
  const { tokens } = await fullStack.signUp('far@example.com')
  const headers = bearer(tokens.access_token)
  const { medianMs, quota } = await measure(headers)
  expect(quota).toBe(500)
  expect(medianMs).toBeLessThan(29)
  expect(await logoutHoldsAfterMs(tokens.refresh_token, headers)).toBeLessThan(1500)
})

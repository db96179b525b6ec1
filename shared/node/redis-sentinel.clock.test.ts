import { afterEach, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTcpProxy } from '../../test/support/tcp-proxy.ts'
import { startRedisSentinel } from '../../tools/servers/redis/redis-sentinel.ts'
import { connectRedis } from './redis.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/**
 * One way to the Sentinels, by client: a question takes twice as long, so that a switch falls into
 * one of them.
 */
const delaysMs = [250, 320, 390, 460]

test('each client connects to the new master, also where a Sentinel tells of it while the client asks', async () => {
  const { master, sentinelPorts, stop } = await startRedisSentinel()
  closers.push(stop)
  const { log } = createCapturedLog('gateway')
  const open = async (delayMs: number) => {
    const proxies = await Promise.all(
      sentinelPorts.map(async (port) => {
        const proxy = await createTcpProxy({ host: '127.0.0.1', port })
        closers.push(proxy.close)
        return proxy
      }),
    )
    const hosts = proxies.map(({ port }) => `127.0.0.1:${port}`).join(',')
    const client = connectRedis(`redis-sentinel://${hosts}/gatehouse`, log)
    closers.push(() => client.disconnect())
    return { client, delay: () => proxies.forEach((proxy) => void proxy.delay(delayMs)) }
  }
  const clients = await Promise.all(delaysMs.map(open))
  const states = () => [...new Set(clients.map(({ client }) => client.status))]
  await expect.poll(states, { timeout: 10_000 }).toEqual(['ready'])
  for (const { delay } of clients) delay()
  await master.kill()
  await expect.poll(states, { timeout: 5000 }).not.toContain('ready')
  await expect.poll(states, { timeout: 20_000 }).toEqual(['ready'])
}, 60_000)

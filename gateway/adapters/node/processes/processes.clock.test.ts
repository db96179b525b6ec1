import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import {
  type GatewayProcesses,
  startGatewayProcesses,
  upstreamPath,
} from '../../../../test/support/gateway/gateway-processes.ts'
import { closeSockets } from '../../../../test/support/gateway/sockets.ts'
import { redisForFile } from '../../../../tools/servers/redis/test-redis.ts'

// Each test starts three processes of Node, and some wait for back-off.
vi.setConfig({ testTimeout: 60_000 })

let redisUrl: string
beforeAll(async () => {
  redisUrl = await redisForFile()
})
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await closeSockets()
})

async function startReady() {
  const environment = { GATEWAY_PROCESSES: '2', REDIS_URL: redisUrl }
  const gateway = await startGatewayProcesses(closers, { environment })
  await gateway.ready()
  return gateway
}

const linesOf = (gateway: GatewayProcesses, message: string, number: number) =>
  gateway.lines().filter(({ msg, process }) => msg === message && process === number)

test('a process that keeps ending is started again after 1 s, then after 2 s', async () => {
  const gateway = await startReady()
  for (const ended of [1, 2]) {
    const pid = linesOf(gateway, 'process serves', 1).at(-1)?.pid
    process.kill(pid as number, 'SIGKILL')
    await expect
      .poll(() => linesOf(gateway, 'process serves', 1), { timeout: 15_000 })
      .toHaveLength(ended + 1)
  }
  const ends = linesOf(gateway, 'process ended', 1)
  expect(ends.map(({ restart_ms, failures }) => ({ restart_ms, failures }))).toEqual([
    { restart_ms: 1000, failures: 1 },
    { restart_ms: 2000, failures: 2 },
  ])
  const serves = linesOf(gateway, 'process serves', 1).slice(1)
  for (const [index, { time }] of ends.entries()) {
    const waitedMs = Date.parse(`${serves[index]?.time}`) - Date.parse(`${time}`)
    expect(waitedMs).toBeGreaterThan(1000 * (index + 1) - 20)
  }
})

test('78: processes that end at each start, while none serves, end the gateway', async () => {
  const gateway = await startReady()
  await rm(join(gateway.folder, 'policy.json'))
  for (const pid of await gateway.pids()) process.kill(pid, 'SIGKILL')
  expect(await gateway.exit).toEqual([78, null])
  const reason = 'process ended, and no other serves: giving up'
  expect(gateway.lines()).toContainEqual(expect.objectContaining({ msg: reason, code: 78, failures: 4 }))
})

test('503: a process that does not answer in 1 s is reported, by its number', async () => {
  const gateway = await startReady()
  for (let count = 0; count < 20; count++) expect(await gateway.status(upstreamPath)).toBe(200)
  const counted = () => gateway.metric('gatehouse_gateway_http_requests_total', upstreamPath)
  await expect.poll(counted).toBe(20)
  const [, silent = 0] = await gateway.pids()
  process.kill(silent, 'SIGSTOP')
  closers.push(() => process.kill(silent, 'SIGCONT'))

  const startedAt = performance.now()
  expect(await gateway.metric('gatehouse_gateway_process_up', 'process="1"')).toBe(1)
  expect(performance.now() - startedAt).toBeGreaterThan(900)
  expect(performance.now() - startedAt).toBeLessThan(5000)
  expect(await gateway.metric('gatehouse_gateway_process_up', 'process="2"')).toBe(0)
  // Its totals stay, so that no counter falls.
  expect(await counted()).toBe(20)
  expect((await gateway.health()).checks.processes).toEqual({
    status: 'fail',
    detail: '2 of 2 serve; no answer from 2',
  })
  // One connection waits at the silent process, and later ones pass it by.
  const statuses = [1, 2, 3].map(() => gateway.status('/ready'))
  expect(await Promise.race(statuses)).toBe(503)
  process.kill(silent, 'SIGCONT')
  await Promise.all(statuses)
  await gateway.ready()
})

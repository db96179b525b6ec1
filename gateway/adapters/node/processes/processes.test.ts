import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  isRunning,
  startGatewayProcesses,
  upstreamPath,
  userPath,
} from '../../../../test/support/gateway/gateway-processes.ts'
import { ask, closeSockets, listen, openSocket } from '../../../../test/support/gateway/sockets.ts'
import { startPrivateRedis } from '../../../../tools/servers/redis/redis.ts'
import { redisForFile } from '../../../../tools/servers/redis/test-redis.ts'

// Each test starts three processes of Node.
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

const start = (
  environment: Record<string, string> = {},
  upstream?: Parameters<typeof startGatewayProcesses>[1]['upstream'],
) =>
  startGatewayProcesses(closers, {
    environment: { GATEWAY_PROCESSES: '2', REDIS_URL: redisUrl, ...environment },
    ...(upstream && { upstream }),
  })

async function startReady(...given: Parameters<typeof start>) {
  const gateway = await start(...given)
  await gateway.ready()
  return gateway
}

/** Two processes with requests at an upstream that responds when it may. */
async function startWithOpenRequests(count: number) {
  const mayAnswer = Promise.withResolvers<void>()
  let asked = 0
  const gateway = await startReady({}, async (_request, response) => {
    asked++
    await mayAnswer.promise
    response.end('{}')
  })
  const pids = await gateway.pids()
  const slow = Array.from({ length: count }, () => ask(gateway.port, { path: upstreamPath }))
  await expect.poll(() => asked).toBe(count)
  return { gateway, pids, slow, mayAnswer }
}

/** One request on a connection that stays open. */
async function askOn(agent: Agent, port: number, path = upstreamPath) {
  const asked = request({ port, host: '127.0.0.1', path, agent })
  asked.end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  await text(answer)
  return answer.statusCode
}

describe('start', () => {
  test('200: ready when each process serves; health says how many, and each log line which', async () => {
    const gateway = await startReady()
    // Redis or the origin of a busy machine may be slow, which is a warning.
    const mayWarn = expect.stringMatching(/^(pass|warn)$/)
    expect(await gateway.health()).toMatchObject({
      status: mayWarn,
      checks: { processes: { status: mayWarn, detail: '2 of 2 serve' } },
      processes: [
        { process: 1, restarts: 0, status: mayWarn },
        { process: 2, restarts: 0, status: mayWarn },
      ],
    })
    const listening = gateway.lines().filter(({ msg }) => msg === 'listening')
    expect(listening.map(({ process }) => process).toSorted()).toEqual([1, 2])
    const publicHealth = await ask(gateway.port, { path: '/health' })
    expect(JSON.parse(await text(publicHealth)).checks.processes).toMatchObject({ detail: '2 of 2 serve' })
  })

  test('503: not ready before each process has served, also where one ended before', async () => {
    const gateway = await start()
    const second = async () => (await gateway.health()).processes[1]?.pid
    await expect.poll(second, { timeout: 20_000 }).toEqual(expect.any(Number))
    process.kill((await second()) as number, 'SIGKILL')
    const serves = () => gateway.lines().filter(({ msg }) => msg === 'process serves').length
    const early = new Set<unknown>()
    while (serves() < 2) {
      const answer = await ask(gateway.port, { path: '/ready' })
      const isOne = (await text(answer)).includes('1 of 2 serve')
      if (isOne) early.add(answer.statusCode)
    }
    expect(early).toEqual(new Set([503]))
    await gateway.ready()
    expect(gateway.lines().filter(({ msg }) => msg === 'process ended')).toHaveLength(1)
  })

  test('78: several processes without Redis, by name and once', async () => {
    const gateway = await start({ REDIS_URL: '' })
    expect(await gateway.exit).toEqual([78, null])
    expect(gateway.printed.errorOutput.match(/GATEWAY_PROCESSES needs REDIS_URL/g)).toHaveLength(1)
  })

  test('78: an error that only a process finds is shown once, and nothing is started again', async () => {
    const gateway = await start({ POLICY_FILE: 'missing.json' })
    expect(await gateway.exit).toEqual([78, null])
    expect(gateway.printed.errorOutput.match(/POLICY_FILE: /g)).toHaveLength(1)
  })

  test('1: a port in use is named once', async () => {
    const taken = await listen(createServer())
    const gateway = await start({ GATEWAY_PORT: `${taken}` })
    expect(await gateway.exit).toEqual([1, null])
    const named = gateway
      .lines()
      .filter(({ msg }) => `${msg}`.includes(`port ${taken} on 127.0.0.1 is in use`))
    expect(named).toHaveLength(1)
  })

  test('GATEWAY_PROCESSES=max: one for each core that this process may use', async () => {
    const gateway = await startReady({ GATEWAY_PROCESSES: 'max' })
    const { availableParallelism } = await import('node:os')
    // On one core the gateway is one process, whose health has no list.
    expect((await gateway.health()).processes?.length ?? 1).toBe(availableParallelism())
  })
})

test('64 connections are spread evenly, and each request is counted exactly once over all processes', async () => {
  const gateway = await startReady()
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  closers.push(() => agent.destroy())
  const statuses: (number | undefined)[] = []
  for (let round = 0; round < 5; round++)
    statuses.push(...(await Promise.all(Array.from({ length: 64 }, () => askOn(agent, gateway.port)))))
  expect(new Set(statuses)).toEqual(new Set([200]))
  await expect.poll(() => gateway.metric('gatehouse_gateway_http_requests_total', upstreamPath)).toBe(320)
  expect(await gateway.metric('gatehouse_gateway_http_request_duration_seconds_count', upstreamPath)).toBe(
    320,
  )
  expect(
    await gateway.metric('gatehouse_gateway_http_request_duration_seconds_bucket', upstreamPath, 'le="+Inf"'),
  ).toBe(320)
  const connections = async () => (await gateway.health()).processes.map((each) => each.connections)
  await expect.poll(async () => (await connections()).reduce((sum, each) => sum + each)).toBe(64)
  // A process that is busy when a connection comes is passed over.
  expect(Math.min(...(await connections()))).toBeGreaterThan(16)
  expect(await gateway.metric('gatehouse_gateway_connections_open')).toBe(64)
  expect(await gateway.metric('gatehouse_gateway_process_up')).toBe(2)
  expect(await gateway.metric('gatehouse_gateway_redis_up')).toBe(1)
  expect(await gateway.metric('gatehouse_build_info')).toBe(1)
})

test('a process that crashed is replaced: others serve meanwhile, and no counter falls', async () => {
  const gateway = await startReady()
  for (let count = 0; count < 20; count++) expect(await gateway.status(upstreamPath)).toBe(200)
  await expect.poll(() => gateway.metric('gatehouse_gateway_http_requests_total', upstreamPath)).toBe(20)
  const [first = 0, second] = await gateway.pids()
  process.kill(first, 'SIGKILL')
  await expect.poll(() => gateway.lines().some(({ msg }) => msg === 'process ended')).toBe(true)
  expect(await gateway.status(upstreamPath)).toBe(200)
  expect(await gateway.status('/ready')).toBe(200)
  await expect.poll(() => gateway.metric('gatehouse_gateway_process_up'), { timeout: 10_000 }).toBe(2)
  const [replaced, kept] = await gateway.pids()
  expect(kept).toBe(second)
  expect(replaced).not.toBe(first)
  expect(await gateway.metric('gatehouse_gateway_process_restarts_total', 'process="1"')).toBe(1)
  await expect.poll(() => gateway.metric('gatehouse_gateway_http_requests_total', upstreamPath)).toBe(21)
  expect(gateway.lines()).toContainEqual(
    expect.objectContaining({
      msg: 'process ended',
      process: 1,
      pid: first,
      signal: 'SIGKILL',
      restart_ms: 1000,
    }),
  )
})

test.skipIf(process.platform !== 'linux')(
  'a process that the system refuses to start is tried again, and the others serve on',
  async () => {
    const gateway = await startReady()
    const supervisor = gateway.child.pid as number
    const [first = 0] = await gateway.pids()
    const limitFiles = (soft: number | string) =>
      execFileSync('prlimit', ['--pid', `${supervisor}`, `--nofile=${soft}:`])
    // Those that are open stay, and a new process needs further ones.
    limitFiles(4)
    process.kill(first, 'SIGKILL')
    const refused = () => gateway.lines().filter(({ msg }) => msg === 'process not started')
    await expect.poll(() => refused().length, { timeout: 10_000 }).toBeGreaterThan(0)
    limitFiles(1024)
    await expect
      .poll(async () => (await gateway.pids()).every((pid) => pid !== undefined), { timeout: 20_000 })
      .toBe(true)
    await gateway.ready()
  },
)

test('SIGTERM: every request in progress at each process is answered, then exit 0', async () => {
  const { gateway, pids, slow, mayAnswer } = await startWithOpenRequests(20)
  gateway.child.kill('SIGTERM')
  await expect.poll(() => gateway.status('/live')).toBe('no answer')
  mayAnswer.resolve()
  for (const answer of await Promise.all(slow)) {
    expect(answer.statusCode).toBe(200)
    expect(await text(answer)).toBe('{}')
  }
  expect(await gateway.exit).toEqual([0, null])
  expect(pids.map(isRunning)).toEqual([false, false])
  expect(gateway.lines().filter(({ msg }) => msg === 'stopped')).toHaveLength(2)
  expect(gateway.printed.errorOutput).toBe('')
})

test('SIGTERM: clients that leave when /ready fails meet no error', async () => {
  const gateway = await startReady({ DRAIN_DELAY_SECONDS: '3' })
  const agent = new Agent({ keepAlive: true })
  closers.push(() => agent.destroy())
  let isLeaving = false
  const statuses: unknown[] = []
  const clients = Array.from({ length: 16 }, async () => {
    while (!isLeaving) statuses.push(await askOn(agent, gateway.port).catch((error: Error) => error.message))
  })
  await expect.poll(() => statuses.length).toBeGreaterThan(100)
  gateway.child.kill('SIGTERM')
  await expect.poll(() => gateway.status('/ready'), { timeout: 3000 }).toBe(503)
  const served = statuses.length
  await expect.poll(() => statuses.length).toBeGreaterThan(served + 100)
  isLeaving = true
  await Promise.all(clients)
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(await gateway.exit).toEqual([0, null])
})

test('supervisor killed: requests in progress are answered, no new connection is, and no process is left', async () => {
  const { gateway, pids, slow, mayAnswer } = await startWithOpenRequests(4)
  gateway.child.kill('SIGKILL')
  await gateway.exit
  await expect.poll(() => gateway.status('/live')).toBe('no answer')
  mayAnswer.resolve()
  for (const answer of await Promise.all(slow)) expect(answer.statusCode).toBe(200)
  await expect.poll(() => pids.map(isRunning), { timeout: 15_000 }).toEqual([false, false])
})

test('supervisor killed while a process starts: the process ends, too', async () => {
  const gateway = await start({ DRAIN_SECONDS: '1' })
  const second = async () => (await gateway.health()).processes[1]?.pid
  await expect.poll(second, { timeout: 20_000 }).toEqual(expect.any(Number))
  const pid = (await second()) as number
  // So it waits for the port, which only the supervisor can give it.
  gateway.child.kill('SIGSTOP')
  const isWaiting = () =>
    gateway.lines().some(({ msg, process }) => msg === 'policy file loaded' && process === 2)
  await expect.poll(isWaiting, { timeout: 20_000 }).toBe(true)
  gateway.child.kill('SIGKILL')
  await gateway.exit
  await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false)
})

test('Redis gone: all processes together allow exactly the quota of this gateway', async () => {
  const redis = await startPrivateRedis()
  closers.push(redis.stop)
  const gateway = await startReady({
    REDIS_URL: redis.url,
    GATEWAY_REPLICAS: '2',
    LIMIT_ADDRESS_REQUESTS: '40',
  })
  await redis.kill()
  const redisUp = () => gateway.metric('gatehouse_gateway_redis_up')
  await expect.poll(redisUp).toBe(0)
  // Connections alternate between the processes, so that each meets more than its share.
  const statuses: unknown[] = []
  for (let count = 0; count < 60; count++) statuses.push(await gateway.status(upstreamPath))
  expect(statuses.filter((status) => status === 200)).toHaveLength(20)
  expect(statuses.filter((status) => status === 429)).toHaveLength(40)
})

test('401: a revocation reaches every process', async () => {
  const gateway = await startReady({ REVOCATION_REDIS_URL: 'none' })
  const sid = crypto.randomUUID()
  const authorization = `Bearer ${await gateway.signToken({ sid })}`
  // New connections come to the processes in turn.
  const statuses = async () =>
    new Set(await Promise.all(Array.from({ length: 8 }, () => gateway.status(userPath, { authorization }))))
  expect(await statuses()).toEqual(new Set([200]))
  gateway.revokeSession(sid)
  await expect.poll(statuses, { timeout: 10_000 }).toEqual(new Set([401]))
})

test('a changed policy file reaches every process, also by SIGHUP', async () => {
  const gateway = await startReady()
  const row = { method: 'GET', path: '/added', upstream: 'asked', who: 'public', limits: ['address'] }
  await writeFile(join(gateway.folder, 'policy.json'), JSON.stringify({ routes: [row] }))
  gateway.child.kill('SIGHUP')
  const applied = () => gateway.lines().filter(({ msg }) => msg === 'policy file applied')
  await expect.poll(() => new Set(applied().map(({ process }) => process)).size).toBe(2)
  const statuses = await Promise.all(Array.from({ length: 8 }, () => gateway.status(upstreamPath)))
  expect(new Set(statuses)).toEqual(new Set([404]))
})

test('503: UPSTREAM_REQUESTS is for all processes together', async () => {
  const mayAnswer = Promise.withResolvers<void>()
  const gateway = await startReady({ UPSTREAM_REQUESTS: '4' }, async (_request, response) => {
    await mayAnswer.promise
    response.end('{}')
  })
  const statuses: unknown[] = []
  const all = Array.from({ length: 12 }, async () => {
    statuses.push(await gateway.status(upstreamPath))
  })
  await expect.poll(() => statuses).toEqual(Array(8).fill(503))
  mayAnswer.resolve()
  await Promise.all(all)
  expect(statuses.filter((status) => status === 200)).toHaveLength(4)
})

test('a connection that is idle when its process stops is closed', async () => {
  const gateway = await startReady()
  const socket = await openSocket(gateway.port)
  socket.resume()
  gateway.child.kill('SIGTERM')
  await once(socket, 'close')
  expect(await gateway.exit).toEqual([0, null])
})

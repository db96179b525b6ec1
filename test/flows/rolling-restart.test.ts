import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { generateSecrets } from '../../dev/secrets.ts'
import { startBalancer } from '../../k6/environment/balancer.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { createIssuer } from '../support/gateway/issuer.ts'
import { closeSockets, listen } from '../support/gateway/sockets.ts'
import { highLimits } from '../support/high-limits.ts'

const main = fileURLToPath(new URL('../../gateway/adapters/node/main.ts', import.meta.url))

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await closeSockets()
})

/** An origin and a demo service in one, which counts what reaches it. */
async function startOrigin() {
  const issuer = await createIssuer()
  const orders = new Map<string, number>()
  const answers: Record<string, unknown> = {
    '/.well-known/jwks.json': issuer.jwks,
    '/internal/gateway/revocations': { entries: [], next: '1' },
    '/v1/plans': { plans: [] },
    '/internal/gateway/plans': { plans: [] },
  }
  const server = createServer(async (incoming, response) => {
    const body = await text(incoming)
    if (incoming.method === 'POST') orders.set(body, (orders.get(body) ?? 0) + 1)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(answers[incoming.url?.split('?')[0] ?? ''] ?? {}))
  })
  new WebSocketServer({ server })
  return { port: await listen(server), orders }
}

/**
 * Gateways as they run in production, each a process that can be stopped and started again on its
 * port.
 */
async function startGateways(names: readonly string[], originPort: number) {
  const secrets = await generateSecrets()
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-rolling-'))
  closers.push(() => rm(folder, { recursive: true }))
  await writeFile(
    join(folder, 'policy.yaml'),
    'routes: [{ method: GET, path: /socket, upstream: reports, who: public, limits: [address], websocket: true }]\n',
  )
  const originUrl = `http://127.0.0.1:${originPort}`

  function start(port: number): ChildProcess {
    const child = spawn(process.execPath, [main], {
      cwd: folder,
      env: {
        ASSERTION_PRIVATE_JWK: secrets.ASSERTION_PRIVATE_JWK,
        GATEWAY_PORT: String(port),
        ORIGIN_URL: originUrl,
        UPSTREAMS: JSON.stringify({ reports: originUrl }),
        POLICY_FILE: 'policy.yaml',
        ...highLimits,
        DRAIN_DELAY_SECONDS: '3',
        LOG_LEVEL: 'warn',
      },
      stdio: 'ignore',
    })
    closers.push(() => child.kill('SIGKILL'))
    return child
  }

  return Promise.all(
    names.map(async (name) => {
      const port = await findFreePort()
      let child = start(port)
      return {
        name,
        port,
        /** @returns the exit code */
        async stop(): Promise<number | null> {
          const exit = once(child, 'exit')
          child.kill('SIGTERM')
          return (await exit)[0]
        },
        startAgain() {
          child = start(port)
        },
      }
    }),
  )
}

test('a rolling restart of two gateways under load: not one request fails, none is sent twice, WebSockets end', {
  timeout: 120_000,
}, async () => {
  const origin = await startOrigin()
  const gateways = await startGateways(['a', 'b'], origin.port)
  const balancer = await startBalancer(gateways, 0)
  closers.push(balancer.stop)
  for (const { name } of gateways) await balancer.untilReady(name)
  const { port } = new URL(balancer.url)

  const agent = new Agent({ keepAlive: true })
  const failures: string[] = []
  let sent = 0
  let isOver = false

  /**
   * Reads and orders in turn, as fast as answers come and no faster, over connections that it
   * keeps.
   */
  async function work(): Promise<void> {
    while (!isOver) {
      const id = sent++
      const asked = request({
        agent,
        port,
        host: '127.0.0.1',
        ...(id % 2 ? { path: '/v1/plans' } : { path: '/auth/register', method: 'POST' }),
      })
      asked.end(id % 2 ? undefined : `order ${id}`)
      await once(asked, 'response').then(
        async ([answer]: IncomingMessage[]) => {
          if (answer?.statusCode !== 200) failures.push(`${answer?.statusCode}`)
          await text(answer as IncomingMessage)
        },
        (error: Error) => failures.push(error.message),
      )
      await sleep(5)
    }
  }

  const workers = Array.from({ length: 8 }, work)
  for (const gateway of gateways) {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/socket`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    expect(await gateway.stop()).toBe(0)
    await closed
    gateway.startAgain()
    await balancer.untilReady(gateway.name)
    await sleep(500)
  }
  isOver = true
  await Promise.all(workers)
  agent.destroy()

  expect(failures).toEqual([])
  expect(balancer.cutRequests()).toBe(0)
  expect(sent).toBeGreaterThan(500)
  expect(origin.orders.size).toBe(Math.ceil(sent / 2))
  expect(new Set(origin.orders.values())).toEqual(new Set([1]))
})

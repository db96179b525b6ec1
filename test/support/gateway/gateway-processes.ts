import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import type { Revocation } from '../../../shared/auth/revocation.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { createIssuer } from './issuer.ts'
import { ask, listen } from './sockets.ts'

const main = fileURLToPath(new URL('../../../gateway/adapters/node/main.ts', import.meta.url))

/** The rows of the upstream: for everybody, and for users. */
export const upstreamPath = '/asked'
export const userPath = '/mine'

interface Options {
  environment: Record<string, string>
  /** Answer of the upstream. */
  upstream?: (request: IncomingMessage, response: ServerResponse) => void
}

interface ProcessState {
  process: number
  pid: number
  restarts: number
  status: string
  connections: number
}

interface GroupHealth {
  status: string
  checks: Record<string, { status: string; detail?: string }>
  processes: ProcessState[]
}

export type GatewayProcesses = Awaited<ReturnType<typeof startGatewayProcesses>>

/**
 * Starts a gateway as a deployment does, in several processes, before an origin and an upstream of
 * this test.
 *
 * @param closers receives the functions that stop what is started
 */
export async function startGatewayProcesses(
  closers: (() => unknown)[],
  { environment, upstream = (_request, response) => response.end('{}') }: Options,
) {
  const issuer = await createIssuer()
  const secrets = await generateSecrets()
  const revoked: Revocation[] = []
  const servicePort = await listen(
    createServer((request, response) => {
      if (request.url === upstreamPath || request.url === userPath) return upstream(request, response)
      response.setHeader('content-type', 'application/json')
      const isFeed = request.url?.startsWith('/internal/gateway/revocations')
      const feed = { entries: revoked, next: `${revoked.length + 1}` }
      response.end(JSON.stringify(isFeed ? feed : { ...issuer.jwks, plans: [] }))
    }),
  )
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-processes-'))
  closers.push(() => rm(folder, { recursive: true }))
  const row = { method: 'GET', path: upstreamPath, upstream: 'asked', who: 'public', limits: ['address'] }
  const userRow = { ...row, path: userPath, who: 'user', limits: ['user'] }
  await writeFile(join(folder, 'policy.json'), JSON.stringify({ routes: [row, userRow] }))

  const [port, metricsPort] = [await findFreePort(), await findFreePort()]
  const child = spawn(process.execPath, [main], {
    cwd: folder,
    env: {
      ASSERTION_PRIVATE_JWK: secrets.ASSERTION_PRIVATE_JWK,
      DRAIN_DELAY_SECONDS: '0',
      GATEWAY_PORT: `${port}`,
      GATEWAY_METRICS_PORT: `${metricsPort}`,
      ORIGIN_URL: `http://127.0.0.1:${servicePort}`,
      UPSTREAMS: JSON.stringify({ asked: `http://127.0.0.1:${servicePort}` }),
      POLICY_FILE: 'policy.json',
      LIMIT_ADDRESS_REQUESTS: '1000000',
      REDIS_KEY_PREFIX: `${folder}:`,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  closers.push(() => endAll(child, exit))
  const printed = { output: '', errorOutput: '' }
  child.stdout.on('data', (chunk) => {
    printed.output += chunk
  })
  child.stderr.on('data', (chunk) => {
    printed.errorOutput += chunk
  })

  const lines = () =>
    printed.output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  async function health(): Promise<GroupHealth> {
    return (await (await fetch(`http://127.0.0.1:${metricsPort}/health`)).json()) as GroupHealth
  }

  return {
    child,
    exit,
    printed,
    port,
    folder,
    signToken: issuer.sign,
    /** Revokes the tokens of a session, in the feed of the origin. */
    revokeSession(sid: string) {
      const at = Date.now()
      revoked.push({ scope: 'session', subject: sid, epoch: null, at, until: at + 960_000 })
    },
    lines,
    health,
    pids: async () => (await health()).processes.map(({ pid }) => pid),
    /** Sum of the series of a scrape whose line contains each of these texts. */
    async metric(name: string, ...labels: string[]): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      const series = text
        .split('\n')
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      return series
        .filter((line) => labels.every((label) => line.includes(label)))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
    },
    status: (path: string, headers: Record<string, string> = {}) =>
      ask(port, { path, headers }).then(
        (answer) => {
          answer.resume()
          return answer.statusCode
        },
        () => 'no answer',
      ),
    /** Resolves when all processes serve. */
    async ready(): Promise<void> {
      await expect
        .poll(async () => text(await ask(port, { path: '/ready' })), { timeout: 30_000 })
        .toMatch(/^\{"status":"(pass|warn)"/)
    },
  }
}

/** Processes end when their supervisor does; one that has not is seen by the test. */
async function endAll(child: ChildProcess, exit: Promise<unknown>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await exit
}

/** Whether a process of this id runs. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

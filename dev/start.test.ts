import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { closeSockets, listen } from '../test/support/gateway/sockets.ts'
import { createTestDatabase, type TestDatabase } from '../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../tools/servers/process/free-port.ts'

/** Three services start one after the other, on a machine that runs other tests. */
vi.setConfig({ testTimeout: 60_000 })

const root = fileURLToPath(new URL('..', import.meta.url))

let folder: string
let database: TestDatabase
let npm: ChildProcess | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-start-'))
  database = await createTestDatabase()
})
afterEach(async () => {
  // A test that failed leaves processes behind, which belong to the group of npm or to groups of
  // their own.
  for (const pid of npm?.pid === undefined ? [] : [...descendantsOf(npm.pid), npm.pid]) kill(pid, 'SIGKILL')
  npm = undefined
  await closeSockets()
  await database.drop()
  await rm(folder, { recursive: true })
})

function kill(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function descendantsOf(parent: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const processes = lines.map((line) => line.trim().split(/\s+/).map(Number))
  const below = (above: number): number[] =>
    processes.flatMap(([pid = 0, ppid]) => (ppid === above ? [pid, ...below(pid)] : []))
  return below(parent)
}

/**
 * Runs `npm start` and collects what it and all of its services print, which ends when the last of
 * them has.
 */
async function startNpm(environment: Record<string, string> = {}) {
  const ports = [await findFreePort(), await findFreePort(), await findFreePort()]
  const child = spawn('npm', ['start', '--', '--folder', folder], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATABASE_URL: database.url,
      GATEWAY_PORT: `${ports[0]}`,
      ORIGIN_PORT: `${ports[1]}`,
      REPORTS_PORT: `${ports[2]}`,
      GATEWAY_METRICS_PORT: `${await findFreePort()}`,
      ORIGIN_METRICS_PORT: `${await findFreePort()}`,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  npm = child
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr)]).then((texts) => texts.join(''))
  const up = async () => {
    await expect
      .poll(() => printed.includes('Gatehouse is up') || child.exitCode !== null, { timeout: 45_000 })
      .toBe(true)
    expect(printed).toContain('Gatehouse is up')
  }
  return { pid: child.pid as number, up, ended, ports, exit: once(child, 'exit') }
}

/** Whether the last process ends, rather than staying behind. */
const endsInTime = (ended: Promise<string>) =>
  Promise.race([
    ended.then(() => true),
    new Promise<boolean>((resolve) => {
      setTimeout(resolve, 20_000, false).unref()
    }),
  ])

describe('npm start leaves no service running', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const)('after %s to npm alone', async (signal) => {
    const { pid, up, ended } = await startNpm()
    await up()
    const services = descendantsOf(pid)
    process.kill(pid, signal)
    const isOver = await endsInTime(ended)
    if (!isOver) for (const service of services) kill(service, 'SIGKILL')
    expect(isOver).toBe(true)
  })

  test('after SIGKILL to the process that started the services', async () => {
    const { pid, up, ended } = await startNpm()
    await up()
    const services = descendantsOf(pid)
    const [starter = 0] = services.filter((each) => descendantsOf(each).length >= 3).slice(-1)
    process.kill(starter, 'SIGKILL')
    const isOver = await endsInTime(ended)
    if (!isOver) for (const service of services) kill(service, 'SIGKILL')
    expect(isOver).toBe(true)
  })

  test('1 after one of them ended by itself, naming it', async () => {
    const { pid, up, ended, exit } = await startNpm()
    await up()
    const services = descendantsOf(pid)
    // In the order of the start: origin, reports, gateway.
    process.kill(services.toSorted((a, b) => a - b).at(-1) ?? 0, 'SIGKILL')
    const isOver = await endsInTime(ended)
    if (!isOver) for (const service of services) kill(service, 'SIGKILL')
    expect(isOver).toBe(true)
    expect(await ended).toContain('gateway ended (SIGKILL)')
    expect((await exit)[0]).toBe(1)
  })
})

describe('npm start names the variable that is wrong', () => {
  test('HOST=::1: every URL has the address in brackets', async () => {
    const { pid, up, ended, ports } = await startNpm({ HOST: '::1' })
    await up()
    const answer = await fetch(`http://[::1]:${ports[0]}/v1/reports`)
    expect(answer.status).toBe(401)
    process.kill(pid, 'SIGTERM')
    expect(await ended).toContain(`Gateway  http://[::1]:${ports[0]}`)
  })

  test('a port in use', async () => {
    const taken = await listen(createServer())
    const { ended } = await startNpm({ ORIGIN_PORT: `${taken}` })
    expect(await ended).toContain(`ORIGIN_PORT: port ${taken} on 127.0.0.1 is in use`)
  })

  test('two variables with one port', async () => {
    const port = `${await findFreePort()}`
    const { ended } = await startNpm({ ORIGIN_PORT: port, GATEWAY_METRICS_PORT: port })
    expect(await ended).toContain(`ORIGIN_PORT and GATEWAY_METRICS_PORT are both ${port}`)
  })
})

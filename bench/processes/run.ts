import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { run } from '../../tools/servers/process/run.ts'
import { findProgram } from '../common/find-program.ts'
import { familyProcessorMs } from '../common/processor-time.ts'
import { figure } from '../common/report.ts'
import { median } from '../common/statistics.ts'

/**
 * `npm run bench:processes`: how evenly connections spread over processes on one port, and what a
 * request costs there, for each way in which Node shares a port. Processor time is of all
 * processes, the one that hands connections over included.
 */

const methods = ['round robin', 'shared handle', 'reusePort'] as const
type Method = (typeof methods)[number] | 'one process'

const rounds = 5
const loadSeconds = 2
const loadConnections = 64
const startTimeoutMs = 30_000

interface Started {
  pid: number
  port: number
  stop: () => Promise<unknown>
}

async function start(method: Method, count: number): Promise<Started> {
  const port = await findFreePort()
  const entry = fileURLToPath(new URL('server.ts', import.meta.url))
  const child = spawn(process.execPath, [entry], {
    env: { METHOD: method, COUNT: `${count}`, PORT: `${port}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(child.stdout, 'data', { signal: AbortSignal.timeout(startTimeoutMs) })
  } catch (error) {
    child.kill('SIGKILL')
    throw new Error(`The server with ${method} did not start in ${startTimeoutMs / 1000} s.`, {
      cause: error,
    })
  }
  return {
    pid: child.pid as number,
    port,
    stop() {
      child.kill('SIGTERM')
      return once(child, 'exit')
    },
  }
}

const request = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

/** Opens connections that stay open. @returns the id of the process behind each */
async function connectAll(port: number, connections: number): Promise<string[]> {
  const sockets: Socket[] = []
  const pids = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.write(request)
      const [response] = (await once(socket, 'data')) as [Buffer]
      return response.toString('latin1').split('\r\n').at(-1) as string
    }),
  )
  for (const socket of sockets) socket.destroy()
  return pids
}

/** Fewest and most connections of one process. */
async function spreadOf(port: number, connections: number, count: number): Promise<[number, number]> {
  const byPid = Map.groupBy(await connectAll(port, connections), (pid) => pid)
  const counts = [...byPid.values()].map((all) => all.length)
  if (counts.length < count) counts.push(0)
  return [Math.min(...counts), Math.max(...counts)]
}

/** Microseconds of processor time of one request. */
async function costOf({ pid, port }: Started, headers: string[]): Promise<number> {
  const before = familyProcessorMs(pid)
  const output = await run(findProgram('wrk') ?? 'wrk', [
    '--threads=1',
    `--connections=${loadConnections}`,
    `--duration=${loadSeconds}s`,
    ...headers.flatMap((header) => ['--header', header]),
    `http://127.0.0.1:${port}/`,
  ])
  const requests = Number(/(\d+) requests in/.exec(output)?.[1])
  return ((familyProcessorMs(pid) - before) * 1000) / requests
}

const print = (...cells: string[]) =>
  process.stdout.write(`${cells.map((cell, at) => cell.padEnd(at === 0 ? 32 : 16)).join('')}\n`)

print('connections of one process,', 'connections', 'fewest', 'most', `(medians of ${rounds})`)
for (const count of [2, 4])
  for (const method of methods) {
    const started = await start(method, count)
    for (const connections of [8, 64, 1000]) {
      const spreads: [number, number][] = []
      for (let round = 0; round < rounds; round++)
        spreads.push(await spreadOf(started.port, connections, count))
      const [fewest, most] = [0, 1].map((end) => `${median(spreads.map((spread) => spread[end] as number))}`)
      print(`${count} processes, ${method}`, `${connections}`, fewest as string, most as string)
    }
    await started.stop()
  }

print('')
print('us a request,', 'kept connection', 'new connection', `(${loadConnections} connections)`)
const measured = [
  ['one process', 1],
  ...[2, 4].flatMap((count) => methods.map((method) => [method, count] as const)),
] as const
for (const [method, count] of measured) {
  const started = await start(method, count)
  const kept: number[] = []
  const renewed: number[] = []
  for (let round = 0; round < rounds; round++) {
    kept.push(await costOf(started, []))
    renewed.push(await costOf(started, ['Connection: close']))
  }
  await started.stop()
  print(count === 1 ? method : `${count} processes, ${method}`, figure(median(kept)), figure(median(renewed)))
}

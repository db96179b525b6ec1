import { createConnection } from 'node:net'
import type { RunningServer } from '../postgres/postgres.ts'
import type { Certificates } from '../process/certificates.ts'
import { type ChildServer, startChildServer } from '../process/child-server.ts'
import { findFreePort } from '../process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../process/temporary-folder.ts'
import type { Program } from '../programs/find-program.ts'
import { findRedisBinary } from './redis-binary.ts'

/** A Redis of one test, which the test may break. */
export interface PrivateRedis extends RunningServer {
  /** Process id, which changes with a restart. */
  readonly pid: number
  readonly port: number
  /** Pauses it: connections stay open and get no reply. */
  pause(): void
  resume(): void
  /** Ends it as a crash would: connections are reset, new ones refused. */
  kill(): Promise<void>
  /**
   * Starts it on the same URL, empty, and resolves when it answers; kills it before where it still
   * runs.
   */
  restart(): Promise<void>
}

/** Databases are many, so that each test file has one of its own. */
const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--databases', '1000']

/** Starts a Redis server, or gives the one of `TEST_REDIS_URL`. */
export async function startRedis(): Promise<RunningServer> {
  const given = process.env.TEST_REDIS_URL
  return given ? { url: given, stop: async () => {} } : startPrivateRedis()
}

export interface PrivateRedisOptions {
  /** Settings as the command line takes them, beside those that every server here has. */
  settings?: readonly string[]
  /** The program: by default the one that `findRedisBinary` finds. */
  program?: Program
  /** TLS on the only port, for clients with a certificate. */
  tls?: Certificates
}

/**
 * Starts a Redis server that keeps nothing on disk, on a free port of 127.0.0.1.
 *
 * @throws Error with what to install where there is no server to start
 */
export async function startPrivateRedis({
  settings: more = [],
  program,
  tls,
}: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const { command, env } = program ?? (await findRedisBinary())
  const folder = await createTemporaryFolder('redis')
  const portSettings = (port: number) =>
    tls ? ['--port', '0', '--tls-port', `${port}`, ...tlsSettings(tls)] : ['--port', `${port}`]

  function start(port: number): Promise<ChildServer> {
    return startChildServer({
      command,
      env,
      args: [...settings, ...portSettings(port), ...more],
      folder,
      endSignal: 'SIGKILL',
      ping: () => (tls ? connects(port) : ping(port)),
    })
  }

  const port = await findFreePort()
  let server = await start(port).catch(async (error) => {
    await removeFolder(folder)
    throw error
  })

  return {
    url: `${tls ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    kill: () => server.end(),
    restart: async () => {
      await server.end()
      server = await start(port)
    },
    stop: async () => {
      await server.end()
      await removeFolder(folder)
    },
  }
}

const tlsSettings = ({ certFile, keyFile, caFile }: Certificates) => [
  ...['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile],
  // Servers encrypt what they send to each other, too.
  ...['--tls-replication', 'yes'],
]

export function ping(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1', timeout: 1000 })
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', (answer) => {
      socket.destroy()
      if (/^(\+PONG|-NOAUTH|-NOPERM)/.test(answer.toString())) resolve()
      else reject(new Error(`Redis answered ${answer}`))
    })
    socket.on('timeout', () => socket.destroy(new Error('Redis did not answer in 1 s')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('Redis closed the connection')))
  })
}

/** For a server that answers no client without a certificate. */
export function connects(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Certificates, clientTls } from '../process/certificates.ts'
import { startChildServer } from '../process/child-server.ts'
import { findFreePort } from '../process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../process/temporary-folder.ts'
import type { Program } from '../programs/find-program.ts'
import { connects, type PrivateRedis, ping, startPrivateRedis } from './redis.ts'
import { findRedisBinary } from './redis-binary.ts'

/** Three Sentinels that watch one master and its replica. */
export interface SentinelServers {
  /** In the form of `REDIS_URL`. */
  url: string
  /** The master at the start, and its replica. */
  master: PrivateRedis
  replica: PrivateRedis
  sentinelPorts: number[]
  stop(): Promise<void>
}

export const masterName = 'gatehouse'

/** Far below the 30 s of production, so that a failover takes a second or two. */
const downAfterMs = 1000

const sentinelCount = 3
const settleMs = 20_000

interface Options {
  program?: Program
  /** Of all servers and Sentinels. */
  password?: string
  /** TLS of all servers and Sentinels, to clients and to each other. */
  tls?: Certificates
}

/** @throws Error where the Sentinels do not see each other and the replica in 20 s */
export async function startRedisSentinel(options: Options = {}): Promise<SentinelServers> {
  const { program, password, tls } = options
  const closers: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  const login = password === undefined ? [] : ['--requirepass', password, '--masterauth', password]
  const server = async (settings: string[]) => {
    const started = await startPrivateRedis({
      settings: ['--repl-diskless-sync-delay', '0', ...login, ...settings],
      ...(program && { program }),
      ...(tls && { tls }),
    })
    closers.push(started.stop)
    return started
  }
  try {
    const master = await server([])
    const replica = await server(['--replicaof', `127.0.0.1 ${master.port}`])
    const sentinelPorts: number[] = []
    for (let i = 0; i < sentinelCount; i++) {
      const port = await findFreePort()
      closers.push(await startSentinel(port, master.port, options))
      sentinelPorts.push(port)
    }
    for (const port of sentinelPorts) await untilSettled(port, options)
    const hosts = sentinelPorts.map((port) => `127.0.0.1:${port}`).join(',')
    const authority = password === undefined ? hosts : `:${password}@${hosts}`
    const query = password === undefined ? '' : `?sentinel_password=${password}`
    return {
      url: `${tls ? 'rediss' : 'redis'}-sentinel://${authority}/${masterName}${query}`,
      master,
      replica,
      sentinelPorts,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** @returns what ends it */
async function startSentinel(
  port: number,
  masterPort: number,
  { program, password, tls }: Options,
): Promise<() => Promise<void>> {
  const { command, env } = program ?? (await findRedisBinary())
  const folder = await createTemporaryFolder('sentinel')
  const lines = [
    ...(tls ? tlsLines(port, tls) : [`port ${port}`]),
    'bind 127.0.0.1',
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
    `sentinel failover-timeout ${masterName} 5000`,
    ...(password === undefined
      ? []
      : [`requirepass ${password}`, `sentinel auth-pass ${masterName} ${password}`]),
  ]
  // A Sentinel writes what it learns into its configuration.
  const file = join(folder, 'sentinel.conf')
  await writeFile(file, `${lines.join('\n')}\n`)
  const sentinel = await startChildServer({
    command,
    env,
    args: [file, '--sentinel'],
    folder,
    endSignal: 'SIGKILL',
    ping: () => (tls ? connects(port) : ping(port)),
  })
  return async () => {
    await sentinel.end()
    await removeFolder(folder)
  }
}

const tlsLines = (port: number, { certFile, keyFile, caFile }: Certificates) => [
  ...['port 0', `tls-port ${port}`],
  ...[`tls-cert-file ${certFile}`, `tls-key-file ${keyFile}`, `tls-ca-cert-file ${caFile}`],
  // A Sentinel connects to servers and to other Sentinels as replicas do.
  'tls-replication yes',
]

/** A Sentinel that does not know its replica, or the others, fails nothing over. */
async function untilSettled(port: number, { password, tls }: Options): Promise<void> {
  const sentinel = new Redis(port, '127.0.0.1', {
    retryStrategy: null,
    enableReadyCheck: false,
    ...(password !== undefined && { password }),
    ...(tls && { tls: clientTls(tls) }),
  })
  const deadline = Date.now() + settleMs
  try {
    for (;;) {
      const masters = (await sentinel.call('SENTINEL', 'MASTERS')) as string[][]
      const fields = masters[0] ?? []
      const fieldOf = (name: string) => fields[fields.indexOf(name) + 1]
      if (fieldOf('num-slaves') === '1' && fieldOf('num-other-sentinels') === `${sentinelCount - 1}`) return
      if (Date.now() > deadline) throw new Error(`the Sentinels did not settle in ${settleMs} ms`)
      await sleep(50)
    }
  } finally {
    sentinel.disconnect()
  }
}

import { readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import postgres from 'postgres'
import { type DatabaseHost, type DatabaseTarget, parseDatabaseUrl } from '../../../shared/database-url.ts'
import { arrayTypes } from './array-types.ts'
import { endAtOnce } from './end-at-once.ts'
import { openSocket, type TlsSettings } from './open-socket.ts'
import { padding } from './startup-message.ts'
import { watchConnection } from './watch-connection.ts'

export interface ConnectorOptions {
  url: string
  /** Limit per host, from DNS to the end of the TLS handshake. */
  connectSeconds: number
  /** How long the server may be silent while it owes a response. */
  silenceSeconds: number
}

/**
 * Gives the driver connected sockets, so that the origin controls hosts, TLS and silence. The host
 * selection of postgres.js 3.4.9 accepts a hot standby as `read-write`, retries without end while
 * all hosts reject connections, and never ends a socket whose server has vanished.
 */
export function createConnector(options: ConnectorOptions) {
  const { url, connectSeconds, silenceSeconds } = options
  const target = parseDatabaseUrl(url)
  const tls = readTls(target.tls)
  const connectMs = Math.min(connectSeconds, target.connectSeconds ?? connectSeconds) * 1000
  const { hosts } = target
  /** The last known primary of several hosts; undefined where it has to be found. */
  let primary: DatabaseHost | undefined
  let finding: Promise<DatabaseHost> | undefined

  async function open(host: DatabaseHost): Promise<Socket> {
    const socket = endAtOnce(await openSocket(host, tls, AbortSignal.timeout(connectMs)))
    const forget = () => {
      if (primary === host) primary = undefined
    }
    watchConnection(socket, { silenceMs: silenceSeconds * 1000, onReadOnly: forget })
    socket.once('error', forget)
    return socket
  }

  /** Logs in to each host at once: only a primary lets it. */
  async function findPrimary(): Promise<DatabaseHost> {
    const probe = async (host: DatabaseHost) => {
      const connection = { target, connect: () => open(host), connectionSeconds: connectMs / 1000 }
      const sql = postgres(driverOptions(connection, { max: 1, connect_timeout: connectMs / 1000 }))
      try {
        await sql`select`
        return host
      } finally {
        await sql.end({ timeout: 0 })
      }
    }
    return Promise.any(hosts.map(probe)).catch((error: AggregateError) => {
      throw Object.assign(new Error('no host is a primary that can be reached', { cause: error }), {
        code: 'DATABASE_CONNECT_FAILED',
      })
    })
  }

  async function choose(): Promise<DatabaseHost> {
    const [only] = hosts
    if (hosts.length === 1 && only) return only
    if (primary) return primary
    finding ??= findPrimary().finally(() => {
      finding = undefined
    })
    primary = await finding
    return primary
  }

  /**
   * Never rejects: the driver would lose the place in its pool (postgres.js 3.4.9). A socket that
   * ends with the error is what it expects.
   */
  async function connect(): Promise<Socket> {
    try {
      const host = await choose()
      return await open(host).catch((error) => {
        if (primary === host) primary = undefined
        throw error
      })
    } catch (error) {
      const failed = endAtOnce(Object.assign(new Socket(), { write: () => true }))
      setImmediate(() => failed.destroy(error as Error))
      return failed
    }
  }

  return { target, connect }
}

function readTls({ mode, direct, rootFile, certificateFile, keyFile }: DatabaseTarget['tls']): TlsSettings {
  return {
    mode,
    direct,
    ...(rootFile && { ca: readFileSync(rootFile, 'utf8') }),
    ...(certificateFile && { cert: readFileSync(certificateFile, 'utf8') }),
    ...(keyFile && { key: readFileSync(keyFile, 'utf8') }),
  }
}

type DriverOptions = postgres.Options<Record<never, never>>

interface DriverConnection {
  target: DatabaseTarget
  connect: () => Promise<Socket>
  /** At this age, less up to a fifth at random, a connection is replaced when it is idle. */
  connectionSeconds: number
}

/** The target as options of the driver. */
export function driverOptions(
  { target, connect, connectionSeconds }: DriverConnection,
  more: DriverOptions,
): DriverOptions {
  const { hosts, user, password, database, options, applicationName } = target
  const [first] = hosts
  return {
    ...more,
    // Named in the driver's errors alone.
    ...(first && { host: first.host, port: first.port }),
    ...(user && { user }),
    ...(password && { password }),
    ...(database && { database }),
    fetch_types: false,
    types: arrayTypes,
    ssl: false,
    target_session_attrs: undefined,
    connection: {
      ...(options && { options }),
      application_name: applicationName ?? 'gatehouse',
      ...more.connection,
      ...padding,
    },
    // Asked once for each place in the pool, so that not all connections end together.
    max_lifetime: () => connectionSeconds * (1 - Math.random() / 5),
    socket: connect,
  } as unknown as DriverOptions
}

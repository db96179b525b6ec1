import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Connection, type Exchange } from './connection.ts'

export interface PoolOptions {
  connectTimeoutMs: number
  /** Idle timeout of a connection, unless the upstream announces a shorter one. */
  keepAliveMs: number
  /** Age of a connection, after which it ends with its current exchange. */
  maxAgeMs: number
}

export interface Pool {
  /**
   * @param isFresh whether the exchange needs a new connection
   * @returns the connection, which carries other exchanges later
   */
  send(exchange: Exchange, isFresh?: boolean): Connection
  /** Closes idle connections, and busy ones after their exchange. */
  close(): void
}

/** Safety margin before the upstream closes an idle connection. */
const closingSoonMs = 1000

/** Interval of the check of idle connections. */
const sweepMs = 1000

/**
 * Random share of the age by which a connection ends early, so that connections opened together do
 * not end together.
 */
const ageJitter = 0.2

/**
 * All plain connections read into this one buffer. The event loop reads them one after the other,
 * and calls back before the next read. TLS sockets may read while another callback runs: they do
 * not share it.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Connections to one upstream, each with one exchange at a time. Without an idle one, an exchange
 * opens a new connection: concurrency is bounded before the pool, so the pool needs no bound. The
 * most recently used connection is used next, so that a pool shrinks after a peak.
 *
 * @param baseUrl without a path: `http://10.0.0.7:8081`
 */
export function createPool(baseUrl: string, options: PoolOptions): Pool {
  const { protocol, hostname, port, host } = new URL(baseUrl)
  const isSecure = protocol === 'https:'
  const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isSecure ? 443 : 80)) }
  const idle: Connection[] = []
  let opened = 0
  let isClosing = false
  let sweeper: ReturnType<typeof setInterval> | undefined

  function open(): Connection {
    opened++
    sweeper ??= setInterval(sweep, sweepMs).unref()
    const connection: Connection = new Connection({
      socket: isSecure ? openTls() : openTcp((bytes) => connection.receive(bytes)),
      host,
      endsAt: Date.now() + options.maxAgeMs * (1 - ageJitter * Math.random()),
      onIdle,
      onClose,
    })
    const late = setTimeout(
      () => connection.destroy(new Error('no connection in time')),
      options.connectTimeoutMs,
    )
    connection.socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(late))
    connection.socket.once('close', () => clearTimeout(late))
    return connection
  }

  function openTcp(onBytes: (bytes: Buffer) => void): Socket {
    function callback(length: number): boolean {
      onBytes(readBuffer.subarray(0, length))
      return true
    }
    return connectTcp({ ...address, autoSelectFamily: true, onread: { buffer: readBuffer, callback } })
  }

  const openTls = (): Socket =>
    connectTls({ ...address, ...(/^[\d.]+$|:/.test(address.host) ? {} : { servername: address.host }) })

  function onIdle(connection: Connection, keepAliveSeconds: number | undefined): void {
    const keptMs =
      keepAliveSeconds === undefined
        ? options.keepAliveMs
        : Math.min(options.keepAliveMs, keepAliveSeconds * 1000 - closingSoonMs)
    const at = Date.now()
    connection.idleUntil = Math.min(at + keptMs, connection.endsAt)
    if (isClosing || connection.idleUntil <= at) connection.destroy(new Error('not kept'))
    else idle.push(connection)
  }

  function onClose(connection: Connection): void {
    opened--
    const at = idle.indexOf(connection)
    if (at !== -1) idle.splice(at, 1)
  }

  /** The most recently used connection that the upstream still keeps. */
  function takeIdle(): Connection | undefined {
    const at = Date.now()
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (connection.idleUntil > at) return connection
      connection.destroy(new Error('idle for too long'))
    }
    return undefined
  }

  function sweep(): void {
    const at = Date.now()
    for (const connection of [...idle])
      if (connection.idleUntil <= at) connection.destroy(new Error('idle for too long'))
    if (opened === 0) {
      clearInterval(sweeper)
      sweeper = undefined
    }
  }

  return {
    send(exchange, isFresh = false) {
      const connection = (isFresh ? undefined : takeIdle()) ?? open()
      connection.begin(exchange)
      return connection
    },

    close() {
      isClosing = true
      for (const connection of [...idle]) connection.destroy(new Error('closing'))
    },
  }
}

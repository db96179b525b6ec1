import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Connection, type Exchange } from './connection.ts'

export interface PoolOptions {
  connectTimeoutMs: number
  /** How long a connection may stand idle, unless the upstream says that it closes it earlier. */
  keepAliveMs: number
  /** From a connection's opening: beyond it the connection ends with the exchange under way. */
  maxAgeMs: number
}

export interface Pool {
  /**
   * @param isFresh whether the exchange needs a connection that no other has used
   * @returns the connection, which carries other exchanges later
   */
  send(exchange: Exchange, isFresh?: boolean): Connection
  /** Ends idle connections, and others with their answer. */
  close(): void
}

/** A connection that its upstream is about to close is left alone by this much. */
const closingSoonMs = 1000

/** How often idle connections are looked at. */
const sweepMs = 1000

/**
 * The share of its age that a connection may end early, so that those opened together do not end
 * together.
 */
const ageJitter = 0.2

/**
 * All plain connections read into this one buffer. The event loop reads them one after the other,
 * and calls back before the next read. TLS sockets may read while another callback runs: they do
 * not share it.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Connections to one upstream, each with one exchange at a time. An exchange that finds none idle
 * opens one: requests under way are bounded before they come here, and no second bound below that
 * one can delay them. The one used last is used next, so that a pool which was busy shrinks to what
 * it needs.
 *
 * @param origin without a path: `http://10.0.0.7:8081`
 */
export function createPool(origin: string, options: PoolOptions): Pool {
  const { protocol, hostname, port, host } = new URL(origin)
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

  /** The one used last that its upstream still keeps. */
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

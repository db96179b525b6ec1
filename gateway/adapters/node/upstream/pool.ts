import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Connection, type Exchange } from './connection.ts'

export interface PoolOptions {
  /** The most connections to one upstream. */
  connections: number
  connectTimeoutMs: number
  /** How long a connection may stand idle, unless the upstream says that it closes it earlier. */
  keepAliveMs: number
  /** The longest silence inside an answer's body. */
  bodyIdleMs: number
}

/** A request that waits for its connection or has one. */
export interface Underway {
  abort(error: Error): void
  pause(): void
  resume(): void
}

export interface Pool {
  send(exchange: Exchange): Underway
  /** Ends idle connections, and others with their answer. */
  close(): void
}

/** A connection that its upstream is about to close is left alone by this much. */
const closingSoonMs = 1000

/** How often idle connections are looked at. */
const sweepMs = 1000

interface Waiting {
  exchange: Exchange
  connection: Connection | undefined
}

/**
 * Connections to one upstream, each with one exchange at a time; what finds none free waits in line. The one used last is used next, so that
 * a pool which was busy shrinks to what it needs.
 *
 * @param origin without a path: `http://10.0.0.7:8081`
 */
export function createPool(origin: string, options: PoolOptions): Pool {
  const { protocol, hostname, port, host } = new URL(origin)
  const isSecure = protocol === 'https:'
  const address = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (isSecure ? 443 : 80)) }
  const idle: Connection[] = []
  const queue: Waiting[] = []
  let opened = 0
  let isClosing = false
  let sweeper: ReturnType<typeof setInterval> | undefined

  function open(waiting: Waiting): void {
    opened++
    sweeper ??= setInterval(sweep, sweepMs).unref()
    const socket: Socket = isSecure
      ? connectTls({ ...address, ...(/^[\d.]+$|:/.test(address.host) ? {} : { servername: address.host }) })
      : connectTcp({ ...address, autoSelectFamily: true })
    const connection = new Connection({
      socket,
      host,
      bodyIdleMs: options.bodyIdleMs,
      onIdle,
      onClose,
    })
    const late = setTimeout(
      () => connection.destroy(new Error('no connection in time')),
      options.connectTimeoutMs,
    )
    socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(late))
    socket.once('close', () => clearTimeout(late))
    start(connection, waiting)
  }

  function start(connection: Connection, waiting: Waiting): void {
    waiting.connection = connection
    connection.begin(waiting.exchange)
  }

  function onIdle(connection: Connection, keepAliveSeconds: number | undefined): void {
    const next = queue.shift()
    if (next) {
      start(connection, next)
      return
    }
    const keptMs =
      keepAliveSeconds === undefined
        ? options.keepAliveMs
        : Math.min(options.keepAliveMs, keepAliveSeconds * 1000 - closingSoonMs)
    if (isClosing || keptMs <= 0) connection.destroy(new Error('not kept'))
    else {
      connection.idleUntil = Date.now() + keptMs
      idle.push(connection)
    }
  }

  function onClose(connection: Connection): void {
    opened--
    const at = idle.indexOf(connection)
    if (at !== -1) idle.splice(at, 1)
    const next = queue.shift()
    if (next) open(next)
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
    send(exchange) {
      const waiting: Waiting = { exchange, connection: undefined }
      const connection = takeIdle()
      if (connection) start(connection, waiting)
      else if (opened < options.connections) open(waiting)
      else queue.push(waiting)
      return {
        abort(error) {
          const at = queue.indexOf(waiting)
          if (waiting.connection?.isCarrying(exchange)) waiting.connection.destroy(error)
          else if (at !== -1) {
            queue.splice(at, 1)
            exchange.onError(error, true)
          }
        },
        pause() {
          if (waiting.connection?.isCarrying(exchange)) waiting.connection.pause()
        },
        resume() {
          if (waiting.connection?.isCarrying(exchange)) waiting.connection.resume()
        },
      }
    },

    close() {
      isClosing = true
      for (const connection of [...idle]) connection.destroy(new Error('closing'))
    },
  }
}

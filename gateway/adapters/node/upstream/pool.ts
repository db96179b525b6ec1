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

/** A request that has its connection. */
export interface Underway {
  abort(error: Error): void
  pause(): void
  resume(): void
}

export interface Pool {
  /** @param isFresh whether the exchange needs a connection that no other has used */
  send(exchange: Exchange, isFresh?: boolean): Underway
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
    const socket: Socket = isSecure
      ? connectTls({ ...address, ...(/^[\d.]+$|:/.test(address.host) ? {} : { servername: address.host }) })
      : connectTcp({ ...address, autoSelectFamily: true })
    const connection = new Connection({
      socket,
      host,
      endsAt: Date.now() + options.maxAgeMs * (1 - ageJitter * Math.random()),
      onIdle,
      onClose,
    })
    const late = setTimeout(
      () => connection.destroy(new Error('no connection in time')),
      options.connectTimeoutMs,
    )
    socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(late))
    socket.once('close', () => clearTimeout(late))
    return connection
  }

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
      return {
        abort(error) {
          if (connection.isCarrying(exchange)) connection.destroy(error)
        },
        pause() {
          if (connection.isCarrying(exchange)) connection.pause()
        },
        resume() {
          if (connection.isCarrying(exchange)) connection.resume()
        },
      }
    },

    close() {
      isClosing = true
      for (const connection of [...idle]) connection.destroy(new Error('closing'))
    },
  }
}

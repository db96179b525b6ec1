import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import type { ConnectionContext, ServerOptions } from '../../../../shared/node/http/http-server.ts'
import { FastPathResponse } from './fast-response.ts'
import { readRequestHead } from './request-head.ts'

/** A request on the fast path, with the members of Node's IncomingMessage that its readers use. */
export interface FastPathRequest {
  method: string
  /** Path and query. */
  url: string
  /** Names and values in turn, as they came. */
  rawHeaders: RawHeaders
  complete: true
  socket: Socket
}

export interface FastPathOptions {
  /** @param target path and query */
  takes: (target: string) => boolean
  listener: (request: FastPathRequest, response: FastPathResponse) => void
}

interface FastPathConnectionOptions extends FastPathOptions, ConnectionContext {
  /** Takes over a connection and reads its data from then on. */
  handOver: (socket: Socket) => void
}

/**
 * Most bytes buffered behind the current request. A client that sends more is disconnected; correct
 * pipelining sends less (RFC 9112, section 9.3.2).
 */
const maxHeldBytes = 64 * 1024

/** Overhead in bytes counted for each chunk. */
const pieceBytes = 512

/** Grace time for a request sent just before the announced idle timeout ends. */
const keepAliveBufferSeconds = 1

/** Puts the fast path in front of a server: for `wrapConnections` of its options. */
export const attachFastPath =
  (options: FastPathOptions): NonNullable<ServerOptions['wrapConnections']> =>
  (server, context) =>
    readConnections(server, { ...options, ...context })

/**
 * Bypasses node:http for most requests: a connection is read here as long as each chunk of it is
 * one whole GET or HEAD without a body (see `readRequestHead`), and is handed to Node's own server
 * with the first that is anything else. So nothing that could be read in two ways is read here,
 * nothing is waited for but whole heads, and what may be long or slow, bodies, tunnels and heads in
 * pieces, has one reader.
 */
function readConnections(server: Server, options: Omit<FastPathConnectionOptions, 'handOver'>): void {
  const connections = new Set<FastPathConnection>()
  const nodeListeners = server.listeners('connection')
  server.removeAllListeners('connection')
  const handOver = (socket: Socket) => {
    for (const listener of nodeListeners) listener.call(server, socket)
  }
  const connectionOptions = { ...options, handOver }
  server.on('connection', (socket: Socket) => {
    const connection: FastPathConnection = new FastPathConnection(socket, connectionOptions, () =>
      connections.delete(connection),
    )
    connections.add(connection)
  })

  // `close` asks for the former (docs of node:http).
  const { closeIdleConnections, closeAllConnections } = server
  server.closeIdleConnections = () => {
    for (const connection of connections) connection.closeIdle()
    closeIdleConnections.call(server)
  }
  server.closeAllConnections = () => {
    for (const connection of connections) connection.destroy()
    closeAllConnections.call(server)
  }
}

/** One connection, for as long as it is read here. */
class FastPathConnection {
  readonly socket: Socket
  readonly keepAliveSeconds: number
  readonly isLast: () => boolean
  private readonly options: FastPathConnectionOptions
  private readonly onLeft: () => void
  private response: FastPathResponse | undefined
  /** Bytes received behind the current request. */
  private held: Buffer[] = []
  private heldBytes = 0
  private hasSpoken = false

  /** @param onLeft called when the connection is closed or handed over */
  constructor(socket: Socket, options: FastPathConnectionOptions, onLeft: () => void) {
    this.socket = socket
    this.options = options
    this.keepAliveSeconds = options.keepAliveSeconds
    this.isLast = options.isStopping
    this.onLeft = onLeft
    socket.setTimeout(options.silentSeconds * 1000)
    socket.on('data', this.receive)
    socket.on('drain', this.drain)
    socket.on('end', this.endWithClient)
    socket.on('error', this.ignore)
    socket.on('timeout', this.tire)
    socket.on('close', this.close)
  }

  private readonly receive = (bytes: Buffer): void => {
    // Requests after the last response of a connection are ignored.
    if (!this.socket.writable) return
    if (this.response) {
      this.hold(bytes)
      return
    }
    const { takes, isStopping } = this.options
    const head = isStopping() ? undefined : readRequestHead(bytes)
    if (!head || !takes(head.target)) this.handOver(bytes)
    else this.serve(head)
  }

  private serve({ method, target, headers }: NonNullable<ReturnType<typeof readRequestHead>>): void {
    const { socket, keepAliveSeconds } = this
    if (!this.hasSpoken) socket.setTimeout((keepAliveSeconds + keepAliveBufferSeconds) * 1000)
    this.hasSpoken = true
    this.response = new FastPathResponse(this, method === 'HEAD')
    this.options.listener({ method, url: target, rawHeaders: headers, complete: true, socket }, this.response)
  }

  private hold(bytes: Buffer): void {
    this.held.push(bytes)
    this.heldBytes += bytes.byteLength + pieceBytes
    // Never paused: what waited in the stream would be overtaken by what Node's parser takes
    // straight from the handle.
    if (this.heldBytes > maxHeldBytes) this.socket.destroy()
  }

  onWritten(isLast: boolean): void {
    this.response = undefined
    if (isLast) this.end()
    else if (this.held.length > 0) this.receiveHeld()
    else if (this.options.isClosing()) this.end()
  }

  /** Ends the connection: no further request is read. */
  private end(): void {
    this.onLeft()
    this.socket.destroySoon()
  }

  private receiveHeld(): void {
    const bytes = Buffer.concat(this.held)
    this.held = []
    this.heldBytes = 0
    this.receive(bytes)
  }

  private handOver(bytes: Buffer): void {
    const { socket } = this
    socket.setTimeout(0)
    socket.off('data', this.receive)
    socket.off('drain', this.drain)
    socket.off('end', this.endWithClient)
    socket.off('error', this.ignore)
    socket.off('timeout', this.tire)
    socket.off('close', this.close)
    this.onLeft()
    this.options.handOver(socket)
    socket.emit('data', bytes)
  }

  closeIdle(): void {
    if (!this.response) this.socket.destroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  private readonly drain = (): void => {
    this.response?.drain()
  }

  /** A client that ends its side has left, as in Node's server. */
  private readonly endWithClient = (): void => {
    this.socket.end()
  }

  /**
   * A response under way has deadlines of its own, and one that its client does not take is reset
   * by the server.
   */
  private readonly tire = (): void => {
    if (!this.hasSpoken) {
      this.onLeft()
      this.options.rejectSilent(this.socket)
    } else if (!this.response) this.socket.destroy()
  }

  private readonly close = (): void => {
    this.onLeft()
    this.response?.close()
  }

  /** The error is ignored: `close` follows. */
  private readonly ignore = (): void => {}
}

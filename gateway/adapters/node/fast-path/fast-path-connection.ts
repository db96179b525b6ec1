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
  accepts: (target: string) => boolean
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
const maxPipelinedBytes = 64 * 1024

/** Overhead in bytes counted for each chunk. */
const chunkOverheadBytes = 512

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
 * with the first that is anything else. So an ambiguous head is never read here, and long or slow
 * input (bodies, tunnels, heads in several chunks) has one reader: Node.
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

  // `server.close()` calls `closeIdleConnections` (docs of node:http).
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
  private pipelined: Buffer[] = []
  private pipelinedBytes = 0
  private hasReceivedRequest = false

  /** @param onLeft called when the connection is closed or handed over */
  constructor(socket: Socket, options: FastPathConnectionOptions, onLeft: () => void) {
    this.socket = socket
    this.options = options
    this.keepAliveSeconds = options.keepAliveSeconds
    this.isLast = options.isStopping
    this.onLeft = onLeft
    socket.setTimeout(options.firstRequestSeconds * 1000)
    socket.on('data', this.receive)
    socket.on('drain', this.drain)
    socket.on('end', this.endWithClient)
    socket.on('error', this.ignore)
    socket.on('timeout', this.onTimeout)
    socket.on('close', this.close)
  }

  private readonly receive = (bytes: Buffer): void => {
    // Requests after the last response of a connection are ignored.
    if (!this.socket.writable) return
    if (this.response) {
      this.bufferPipelined(bytes)
      return
    }
    const { accepts, isStopping } = this.options
    const head = isStopping() ? undefined : readRequestHead(bytes)
    if (!head || !accepts(head.target)) this.handOver(bytes)
    else this.serve(head)
  }

  private serve({ method, target, headers }: NonNullable<ReturnType<typeof readRequestHead>>): void {
    const { socket, keepAliveSeconds } = this
    if (!this.hasReceivedRequest) socket.setTimeout((keepAliveSeconds + keepAliveBufferSeconds) * 1000)
    this.hasReceivedRequest = true
    this.response = new FastPathResponse(this, method === 'HEAD')
    this.options.listener({ method, url: target, rawHeaders: headers, complete: true, socket }, this.response)
  }

  private bufferPipelined(bytes: Buffer): void {
    this.pipelined.push(bytes)
    this.pipelinedBytes += bytes.byteLength + chunkOverheadBytes
    // The socket is never paused: Node's parser reads new data from the handle, so data buffered in
    // a paused stream would arrive after it.
    if (this.pipelinedBytes > maxPipelinedBytes) this.socket.destroy()
  }

  onWritten(isLast: boolean): void {
    this.response = undefined
    if (isLast) this.end()
    else if (this.pipelined.length > 0) this.receivePipelined()
    else if (this.options.isClosing()) this.end()
  }

  /** Ends the connection: no further request is read. */
  private end(): void {
    this.onLeft()
    this.socket.destroySoon()
  }

  private receivePipelined(): void {
    const bytes = Buffer.concat(this.pipelined)
    this.pipelined = []
    this.pipelinedBytes = 0
    this.receive(bytes)
  }

  private handOver(bytes: Buffer): void {
    const { socket } = this
    socket.setTimeout(0)
    socket.off('data', this.receive)
    socket.off('drain', this.drain)
    socket.off('end', this.endWithClient)
    socket.off('error', this.ignore)
    socket.off('timeout', this.onTimeout)
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
   * A response in progress has its own deadlines, and the server resets a connection whose client
   * does not read it.
   */
  private readonly onTimeout = (): void => {
    if (!this.hasReceivedRequest) {
      this.onLeft()
      this.options.rejectIdle(this.socket)
    } else if (!this.response) this.socket.destroy()
  }

  private readonly close = (): void => {
    this.onLeft()
    this.response?.close()
  }

  /** The error is ignored: `close` follows. */
  private readonly ignore = (): void => {}
}

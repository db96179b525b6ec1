import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export interface StagedCloseLimits {
  /** Longest silence of the client before the connection closes. */
  idleMs: number
  /** Longest time a client may go on sending. */
  totalMs: number
  /** Most bytes that are read and discarded. */
  bytes: number
  /** Connections of one server in this state at once. One more closes the oldest. */
  connections: number
  /**
   * The `totalMs` of a server that has stopped listening, so that these connections do not delay
   * its end.
   */
  drainMs: number
}

/** The times are those of nginx (`lingering_timeout`, `lingering_time`). */
export const stagedCloseLimits: StagedCloseLimits = {
  idleMs: 5000,
  totalMs: 30_000,
  bytes: 64 * 1024 ** 2,
  connections: 1000,
  drainMs: 1000,
}

/**
 * Replaces `destroySoon` of each accepted socket, which node:http also calls after a last response,
 * by a staged close (RFC 9112, section 9.6): it ends the write side, then reads and discards within
 * the limits. A close with unread bytes would be a reset, and a client that writes its whole body
 * before it reads would lose the response.
 *
 * @returns whether a socket is in this state: nothing it sends is a request any more
 */
export function closeInStages(
  server: Server,
  limits: StagedCloseLimits = stagedCloseLimits,
): (socket: Socket) => boolean {
  /** The oldest first, each with the timer that destroys it. */
  const closing = new Map<Socket, ReturnType<typeof setTimeout>>()
  const destroyIn = (ms: number, socket: Socket) => setTimeout(() => socket.destroy(), ms)

  function forget(socket: Socket): void {
    clearTimeout(closing.get(socket))
    closing.delete(socket)
  }

  // The socket leaves the map here: its `close` event comes after other closes of the same tick.
  function destroyOldest(): void {
    const [oldest] = closing.keys()
    if (!oldest) return
    forget(oldest)
    oldest.destroy()
  }

  function close(socket: Socket): void {
    if (closing.has(socket) || socket.destroyed) return
    if (closing.size >= limits.connections) destroyOldest()
    closing.set(socket, destroyIn(server.listening ? limits.totalMs : limits.drainMs, socket))
    socket.once('close', () => forget(socket))
    discard(socket, limits)
    socket.end()
  }

  server.on('connection', (socket: Socket) => {
    socket.destroySoon = () => close(socket)
  })

  // `close` of the server calls it (documentation of node:http).
  const { closeIdleConnections, closeAllConnections } = server
  server.closeIdleConnections = () => {
    for (const [socket, timer] of closing) {
      clearTimeout(timer)
      closing.set(socket, destroyIn(limits.drainMs, socket))
    }
    closeIdleConnections.call(server)
  }
  server.closeAllConnections = () => {
    for (const socket of closing.keys()) socket.destroy()
    closeAllConnections.call(server)
  }
  return (socket) => closing.has(socket)
}

/**
 * Takes over the reads from the previous listener, until the client ends its side or a limit is
 * reached.
 */
function discard(socket: Socket, { idleMs, bytes }: StagedCloseLimits): void {
  const readBefore = socket.bytesRead
  socket.removeAllListeners('data')
  socket.removeAllListeners('timeout')
  // A listener for data also takes the socket away from the parser of node:http.
  socket.on('data', () => {
    if (socket.bytesRead - readBefore > bytes) socket.destroy()
  })
  socket.setTimeout(idleMs, () => socket.destroy())
  socket.resume()
  // A request with an unread body has stopped the reads below the stream, which does not know it.
  socket._read(0)
}

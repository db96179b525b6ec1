import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

interface PipelinesOptions {
  /** Whether no connection is wanted any more: each ends with what is under way on it. */
  isClosing: () => boolean
}

/**
 * Requests of one connection that may wait. Each takes some kilobytes for the twenty bytes that it
 * came in, so whoever sends more is cut off.
 */
const mostWaiting = 100

/**
 * Serves pipelined requests (RFC 9112, section 9.3.2) one after the other, as nginx and HAProxy do.
 * Node would hand over all that came together: what stands behind a response that ends the
 * connection would be acted on all the same, and nobody told (section 9.6).
 */
export function createPipelines({ isClosing }: PipelinesOptions) {
  /**
   * The last request of a socket, as long as it is not answered to its end. A socket that idles
   * keeps nothing of it.
   */
  const last = new WeakMap<Duplex, ServerResponse>()
  /** How many wait, where some do. */
  const waiting = new WeakMap<Duplex, number>()

  function forget(this: ServerResponse): void {
    const { socket } = this.req
    if (last.get(socket) !== this) return
    last.delete(socket)
    if (isClosing()) socket.destroySoon()
  }

  /**
   * Runs it when what was under way on this socket is answered to its end, at once where nothing
   * was; never where the connection ends with that.
   */
  function whenFree(socket: Duplex, run: () => void): void {
    const before = last.get(socket)
    const runOnWritable = () => {
      if (socket.writable) run()
    }
    if (before === undefined) runOnWritable()
    else before.once('close', runOnWritable)
  }

  return {
    whenFree,

    /** Has it served in its turn. */
    take(request: IncomingMessage, response: ServerResponse, serve: RequestListener): void {
      const { socket } = request
      response.on('close', forget)
      if (last.has(socket)) {
        const ahead = waiting.get(socket) ?? 0
        if (ahead === mostWaiting) {
          socket.destroy()
          return
        }
        waiting.set(socket, ahead + 1)
        whenFree(socket, () => {
          waiting.set(socket, (waiting.get(socket) ?? 0) - 1)
          serve(request, response)
        })
        last.set(socket, response)
      } else if (socket.writable) {
        last.set(socket, response)
        serve(request, response)
      }
    },

    /** The response of the last request that came, where that is under way or waits. */
    lastOf: (socket: Duplex): ServerResponse | undefined => last.get(socket),

    /** Whether any request waits. */
    isWaiting: (socket: Duplex): boolean => (waiting.get(socket) ?? 0) > 0,
  }
}

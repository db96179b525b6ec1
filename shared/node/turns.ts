import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Serves the requests of one connection one after the other, as nginx and HAProxy do. Node would hand over all that came together: what stands behind
 * an answer that ends the connection would be acted on all the same, and nobody told (RFC 9112, section 9.6).
 */
export function createTurns() {
  /** The last request of a socket, as long as it is not answered to its end. A socket that idles keeps nothing of it. */
  const last = new WeakMap<Duplex, ServerResponse>()
  const waiting = new WeakSet<ServerResponse>()

  function forget(this: ServerResponse): void {
    const { socket } = this.req
    if (last.get(socket) === this) last.delete(socket)
  }

  /** Runs it when what was under way on this socket is answered to its end, at once where nothing was; never where the connection ends with that. */
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
        waiting.add(response)
        whenFree(socket, () => {
          waiting.delete(response)
          serve(request, response)
        })
        last.set(socket, response)
      } else if (socket.writable) {
        last.set(socket, response)
        serve(request, response)
      }
    },

    /** The answer of the last request that came, where that is under way or waits. */
    lastOf: (socket: Duplex): ServerResponse | undefined => last.get(socket),

    /** Whether others are to be answered before. */
    isWaiting: (response: ServerResponse): boolean => waiting.has(response),
  }
}

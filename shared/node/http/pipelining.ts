import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

interface PipelinesOptions {
  /** Whether each connection ends with its current request. */
  isClosing: () => boolean
}

/**
 * Requests of one connection that may wait. Each takes some kilobytes for a request of twenty
 * bytes, so a client that sends more is disconnected.
 */
const maxWaiting = 100

/**
 * Serves pipelined requests (RFC 9112, section 9.3.2) one after the other, as nginx and HAProxy do.
 * Node would emit all of them at once: requests after a response that ends the connection would be
 * processed without a response (section 9.6).
 */
export function createPipelines({ isClosing }: PipelinesOptions) {
  /**
   * The last request of a socket until its response has ended. An idle socket holds none.
   */
  const last = new WeakMap<Duplex, ServerResponse>()
  /** Number of waiting requests, if any. */
  const waiting = new WeakMap<Duplex, number>()

  function forget(this: ServerResponse): void {
    const { socket } = this.req
    if (last.get(socket) !== this) return
    last.delete(socket)
    if (isClosing()) socket.destroySoon()
  }

  /**
   * Runs a function when the current response of the socket has ended, or at once without one;
   * never if the connection ends first.
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

    /** Serves the request in its turn. */
    take(request: IncomingMessage, response: ServerResponse, serve: RequestListener): void {
      const { socket } = request
      response.on('close', forget)
      if (last.has(socket)) {
        const ahead = waiting.get(socket) ?? 0
        if (ahead === maxWaiting) {
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

    /** Response of the last request, if it is pending. */
    lastOf: (socket: Duplex): ServerResponse | undefined => last.get(socket),

    /** Whether any request waits. */
    isWaiting: (socket: Duplex): boolean => (waiting.get(socket) ?? 0) > 0,
  }
}

import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { Agent, type Dispatcher } from 'undici'
import { type Transport, TransportError } from '../../../ports.ts'

/**
 * Connections of undici. Unlike fetch, they keep encoded bodies, redirects and the length of a
 * HEAD.
 */
export interface Dispatchers {
  /** For sequential requests. */
  kept: Dispatcher
  /** For one request each: WebSockets, and retries after a failure on a kept-alive connection. */
  fresh: Dispatcher
  close: () => Promise<void>
}

/**
 * @param maxAgeMs from a connection's opening: beyond it the connection ends with the request under
 *   way
 */
export function createDispatchers(maxAgeMs: number): Dispatchers {
  const connect = { timeout: 3000 }
  const kept = new Agent({
    connect,
    // Most servers keep an idle connection for 5 s or longer.
    keepAliveTimeout: 4000,
    keepAliveMaxTimeout: 4000,
    clientTtl: maxAgeMs,
  })
  const fresh = new Agent({ connect, pipelining: 0 })
  return {
    kept,
    fresh,
    async close() {
      await Promise.all([kept.close(), fresh.close()])
    },
  }
}

/** Transport over undici, for web-standard requests and responses. */
export function createTransport({ kept, fresh }: Pick<Dispatchers, 'kept' | 'fresh'>): Transport {
  return async function transport(request) {
    const { baseUrl, target, method, headers, body, signal, deadlineMs, idleMs, isFresh } = request
    // Own timer: the pool's is coarse, and starts only after the whole request is sent.
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), deadlineMs)
    try {
      const response = await (isFresh ? fresh : kept).request({
        origin: baseUrl,
        path: target,
        method: method as 'GET',
        headers: [...headers].flat(),
        body:
          body instanceof ReadableStream ? Readable.fromWeb(body as NodeReadableStream<Uint8Array>) : body,
        signal: AbortSignal.any([signal, deadline.signal]),
        headersTimeout: 0,
        bodyTimeout: idleMs,
        responseHeaders: 'raw',
      })
      const raw = response.headers as unknown as (string | Buffer)[]
      const responseHeaders = new Headers()
      for (let i = 0; i < raw.length; i += 2) responseHeaders.append(String(raw[i]), String(raw[i + 1]))
      return new Response(
        hasBody(method, response.statusCode) ? webStream(response.body) : drained(response.body),
        {
          status: response.statusCode,
          headers: responseHeaders,
        },
      )
    } catch (error) {
      throw new TransportError(
        signal.aborted ? 'client_left' : deadline.signal.aborted ? 'timeout' : 'unreachable',
        error,
      )
    } finally {
      clearTimeout(timer)
    }
  }
}

const hasBody = (method: string, status: number) =>
  method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304

const webStream = (body: Readable) => Readable.toWeb(body) as unknown as ReadableStream<Uint8Array>

/** Drains an unused body, so that its connection can be reused. */
function drained(body: Readable): null {
  body.resume()
  return null
}

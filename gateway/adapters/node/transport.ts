import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { Agent } from 'undici'
import { type Transport, TransportError } from '../../ports.ts'

interface TransportOptions {
  /** Connections kept to each upstream. */
  connections?: number
  connectTimeoutMs?: number
  /** Below the upstream's own idle time, so that a request never meets a closing socket. */
  keepAliveMs?: number
  /** The longest silence inside an answer's body. */
  bodyIdleMs?: number
}

/** Carries requests over undici's pool: unlike fetch it leaves encoded bodies, redirects and the length of a HEAD alone. */
export function createTransport(options: TransportOptions = {}): {
  transport: Transport
  close: () => Promise<void>
} {
  const { connections = 256, connectTimeoutMs = 3000, keepAliveMs = 20_000, bodyIdleMs = 60_000 } = options
  const agent = new Agent({
    connections,
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    bodyTimeout: bodyIdleMs,
  })

  const transport: Transport = async ({ origin, target, method, headers, body, signal, deadlineMs }) => {
    // A timer of our own: the pool's is coarse, and begins only when the whole request is sent.
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), deadlineMs)
    try {
      const answer = await agent.request({
        origin,
        path: target,
        method: method as 'GET',
        headers: [...headers].flat(),
        body:
          body instanceof ReadableStream ? Readable.fromWeb(body as NodeReadableStream<Uint8Array>) : body,
        signal: AbortSignal.any([signal, deadline.signal]),
        headersTimeout: 0,
        responseHeaders: 'raw',
      })
      const raw = answer.headers as unknown as (string | Buffer)[]
      const answerHeaders = new Headers()
      for (let i = 0; i < raw.length; i += 2) answerHeaders.append(String(raw[i]), String(raw[i + 1]))
      return new Response(
        hasBody(method, answer.statusCode) ? webStream(answer.body) : drained(answer.body),
        {
          status: answer.statusCode,
          headers: answerHeaders,
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

  return { transport, close: () => agent.close() }
}

const hasBody = (method: string, status: number) =>
  method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304

const webStream = (body: Readable) => Readable.toWeb(body) as unknown as ReadableStream<Uint8Array>

/** Reads what is not passed on, so that its connection is free for the next request. */
function drained(body: Readable): null {
  body.resume()
  return null
}

import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { Agent, type Dispatcher } from 'undici'
import { type Transport, TransportError } from '../../ports.ts'

/** Connections for the gateway's own questions and for tunnels; unlike fetch they leave encoded bodies, redirects and the length of a HEAD alone. */
export const createDispatcher = (): Dispatcher =>
  new Agent({
    connect: { timeout: 3000 },
    // Most servers keep an idle connection for 5 s or longer.
    keepAliveTimeout: 4000,
    keepAliveMaxTimeout: 4000,
    bodyTimeout: 60_000,
  })

/** undici as a transport, for what is asked in Requests and answered in Responses. */
export function createTransport(dispatcher: Dispatcher): Transport {
  return async function transport({ origin, target, method, headers, body, signal, deadlineMs }) {
    // A timer of our own: the pool's is coarse, and begins only when the whole request is sent.
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), deadlineMs)
    try {
      const answer = await dispatcher.request({
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
}

const hasBody = (method: string, status: number) =>
  method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304

const webStream = (body: Readable) => Readable.toWeb(body) as unknown as ReadableStream<Uint8Array>

/** Reads what is not passed on, so that its connection is free for the next request. */
function drained(body: Readable): null {
  body.resume()
  return null
}

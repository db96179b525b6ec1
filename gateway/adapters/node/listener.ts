import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { problemAnswer } from '../../../shared/errors.ts'
import type { Log } from '../../../shared/log.ts'
import { requestIdFrom } from '../../../shared/request-id.ts'
import { type AnsweringRoute, logRequest } from '../../../shared/request-log.ts'
import { type BeginSpan, beginTrace, type RequestTrace } from '../../../shared/tracing.ts'
import { type Admission, type Admit, isHost } from '../../admission.ts'
import type { CommonFields } from '../../common-fields.ts'
import type { GatewayMetrics } from '../../metrics.ts'
import { logRefusal, toProblem } from '../../refusal.ts'
import { mostFields, readFields } from '../../request-fields.ts'
import { carry } from './carriage.ts'
import type { OpenStreams } from './open-streams.ts'
import type { Upstreams } from './upstreams.ts'

interface ListenerOptions {
  admit: Admit
  upstreams: Upstreams
  /** Paths that the gateway answers itself, by `answerItself`. */
  ownPaths: ReadonlySet<string>
  answerItself: RequestListener
  commonFields: CommonFields
  streams: OpenStreams
  /** The longest that a client may take nothing of an answer. */
  unreadMs?: number | undefined
  metrics: GatewayMetrics
  beginSpan?: BeginSpan | undefined
  log: Log
}

/**
 * The way of a request through Node's own server: decided by the same function as everywhere, carried without a Request or a Response being made of
 * it. What the gateway answers itself, and preflights, go through the app.
 */
export function createListener(options: ListenerOptions): RequestListener {
  const { admit, upstreams, ownPaths, answerItself, commonFields, streams, metrics, beginSpan, log } = options
  const { unreadMs = 60_000 } = options

  return function listener(request: IncomingMessage, response: ServerResponse): void {
    const { url: target = '/', method = 'GET' } = request
    const path = pathOf(target)
    if ((method === 'OPTIONS' || ownPaths.has(path)) && isReadable(request)) {
      answerItself(request, response)
      return
    }
    const startedAt = performance.now()
    let requestId: string | undefined
    let origin: string | undefined
    let hasBody = true
    let admission: Admission | undefined
    let refusedAt: AnsweringRoute | undefined
    let trace: RequestTrace | undefined

    const fieldsOfAll = (): readonly string[] => {
      requestId ??= requestIdFrom(undefined)
      return commonFields(origin, requestId)
    }

    function refuse(error: unknown): void {
      const problem = toProblem(error)
      const common = fieldsOfAll()
      refusedAt = problem.route
      metrics.requestRefused(problem.code)
      logRefusal(log, problem, { requestId: requestId as string, traceId: trace?.traceId })
      if (response.closed) return
      const { status, headers, body } = problemAnswer(problem, requestId as string)
      const fields = [...Object.entries(headers).flat(), 'content-length', String(Buffer.byteLength(body))]
      // What is left of a body that nobody reads would have to be read for the next request.
      if (hasBody && !request.complete && !('connection' in headers)) fields.push('connection', 'close')
      response.writeHead(status, [...fields, ...common] as unknown as string[])
      response.end(request.method === 'HEAD' ? undefined : body)
    }

    response.on('close', () => {
      const status = response.writableFinished ? response.statusCode : 499
      admission?.ended(status)
      const route = admission?.decision.route ?? refusedAt
      const seconds = logRequest(log, {
        requestId: requestId as string,
        traceId: trace?.traceId,
        method,
        path,
        status,
        startedAt,
      })
      metrics.requestAnswered(route, status, seconds)
      trace?.end?.({ route: route?.path, status })
    })

    try {
      const fields = readFields(request.rawHeaders)
      origin = fields.origin
      hasBody = fields.transferEncoding !== undefined || fields.contentLength !== undefined
      requestId = requestIdFrom(fields.requestId)
      const { traceparent, tracestate } = fields
      trace = beginTrace(beginSpan, { method, requestId, traceparent, tracestate })
      const admitted = admit({
        method,
        target,
        fields,
        requestId,
        peer: request.socket.remoteAddress,
        scheme: 'http',
        onward: trace.onward,
      })
      const go = (granted: Admission): void => {
        if (response.closed) {
          granted.ended(499)
          return
        }
        admission = granted
        carry({
          request,
          response,
          fields,
          admission: granted,
          pool: upstreams.poolOf(granted.origin),
          commonFields: fieldsOfAll,
          streams,
          unreadMs,
          onAnswered: metrics.upstreamAnswered,
          refuse,
        })
      }
      if (admitted instanceof Promise) admitted.then(go).catch(refuse)
      else go(admitted)
    } catch (error) {
      refuse(error)
    }
  }
}

/** What a URL can be made of, and no more fields than elsewhere; all else is refused on the way of every other request. */
function isReadable({ url = '', headers: { host }, rawHeaders }: IncomingMessage): boolean {
  return url.startsWith('/') && (host === undefined || isHost(host)) && rawHeaders.length <= 2 * mostFields
}

export function pathOf(target: string): string {
  const queryAt = target.indexOf('?')
  return queryAt === -1 ? target : target.slice(0, queryAt)
}

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Problem, problemAnswer } from '../../../shared/errors.ts'
import type { Log } from '../../../shared/log.ts'
import { rawHead } from '../../../shared/node/raw-head.ts'
import { requestIdFrom } from '../../../shared/request-id.ts'
import { type AnsweringRoute, logRequest } from '../../../shared/request-log.ts'
import { type BeginSpan, beginTrace, type RequestTrace } from '../../../shared/tracing.ts'
import type { Admission, Admit } from '../../admission.ts'
import { answerFields } from '../../answer-fields.ts'
import type { CommonFields } from '../../common-fields.ts'
import { readHandshake } from '../../handshake.ts'
import type { GatewayMetrics } from '../../metrics.ts'
import { logRefusal, toProblem } from '../../refusal.ts'
import { type RequestFields, readFields } from '../../request-fields.ts'
import { pathOf } from './listener.ts'
import type { OpenStreams } from './open-streams.ts'
import { openTunnel } from './tunnel.ts'

interface UpgradesOptions {
  takesWebSocket: (method: string, target: string) => boolean
  admit: Admit
  dispatcher: Dispatcher
  /** Pages of these may open a WebSocket of a signed-in user. */
  corsOrigins: readonly string[]
  commonFields: CommonFields
  streams: OpenStreams
  metrics: GatewayMetrics
  beginSpan?: BeginSpan | undefined
  log: Log
}

/**
 * WebSockets, for rows that are some: decided like every request, then bytes are passed on both ways for as long as the token holds. A request that
 * asks for another protocol, or where no row offers one, is served as if it had not asked.
 */
export function createUpgrades(options: UpgradesOptions) {
  const { takesWebSocket, admit, dispatcher, commonFields, streams, metrics, beginSpan, log } = options
  const origins = new Set(options.corsOrigins)

  /** A browser asks for a page of any origin, and CORS does not hold it back (RFC 6455, section 10.2). */
  function requireOrigin({ decision }: Admission, { origin }: RequestFields): void {
    if (decision.route.who === 'user' && origin !== undefined && !origins.has(origin))
      throw new Problem('origin_not_allowed')
  }

  function listener(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { url: target = '/', method = 'GET' } = request
    const path = pathOf(target)
    const startedAt = performance.now()
    let requestId = requestIdFrom(undefined)
    let origin: string | undefined
    let status = 499
    let admission: Admission | undefined
    let refusedAt: AnsweringRoute | undefined
    let trace: RequestTrace | undefined

    // What it died of is nobody's concern; that it closed follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      admission?.ended(status)
      const route = admission?.decision.route ?? refusedAt
      const traceId = trace?.traceId
      const seconds = logRequest(log, { requestId, traceId, method, path, status, startedAt })
      metrics.requestAnswered(route, status, seconds)
      trace?.end?.({ route: route?.path, status })
    })

    function write(answered: number, fields: readonly string[], body = ''): void {
      status = answered
      socket.write(rawHead(status, [...fields, ...commonFields(origin, requestId)]) + body, 'latin1')
    }

    function refuse(error: unknown): void {
      const problem = toProblem(error)
      refusedAt = problem.route
      metrics.requestRefused(problem.code)
      logRefusal(log, problem, { requestId, traceId: trace?.traceId })
      if (socket.destroyed) return
      const { status, headers, body } = problemAnswer(problem, requestId)
      const length = ['content-length', String(Buffer.byteLength(body)), 'connection', 'close']
      write(status, [...Object.entries(headers).flat(), ...length], body)
      socket.end()
    }

    function answer(answered: number, raw: string[]): void {
      const { decision } = admission as Admission
      const fields = answerFields(raw, decision)
      if (answered !== 101) write(answered, [...fields, 'connection', 'close'])
      else {
        write(answered, [...fields, 'connection', 'upgrade', 'upgrade', 'websocket'])
        socket.on(
          'close',
          streams.add(decision.caller, () => socket.destroy()),
        )
      }
    }

    function go(granted: Admission, fields: RequestFields): void {
      if (socket.destroyed) {
        granted.ended(499)
        return
      }
      admission = granted
      requireOrigin(granted, fields)
      openTunnel({ socket, head, admission, dispatcher, answer, refuse })
    }

    try {
      const fields = withHandshake(request.rawHeaders)
      origin = fields.origin
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
      if (admitted instanceof Promise) admitted.then((granted) => go(granted, fields)).catch(refuse)
      else go(admitted, fields)
    } catch (error) {
      refuse(error)
    }
  }

  return {
    takes: ({ method = '', url = '', headers }: IncomingMessage): boolean =>
      headers.upgrade?.toLowerCase() === 'websocket' &&
      headers['content-length'] === undefined &&
      headers['transfer-encoding'] === undefined &&
      takesWebSocket(method, url),
    listener,
  }
}

/** The fields of a request, with those of its handshake, and a token that it carries where others have it. */
function withHandshake(raw: readonly string[]): RequestFields {
  const fields = readFields(raw)
  const { fields: handshake, credentials } = readHandshake(raw)
  const authorization = [fields.authorization, ...credentials].filter((one) => one !== undefined)
  return {
    ...fields,
    passed: [...fields.passed, ...handshake],
    authorization: authorization.length > 0 ? authorization.join(', ') : undefined,
  }
}

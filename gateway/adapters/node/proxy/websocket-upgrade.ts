import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { formatProblem, Problem } from '../../../../shared/http/errors.ts'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import { rawHead } from '../../../../shared/node/http/format-head.ts'
import { problemHeaders } from '../../../../shared/node/http/problem-headers.ts'
import type { Admission } from '../../../decision/admission.ts'
import type { Decision } from '../../../decision/decision.ts'
import { type RequestHeaders, readHeaders } from '../../../http/request-headers.ts'
import { responseHeaders } from '../../../http/response-headers.ts'
import { readHandshake } from '../../../http/websocket-handshake.ts'
import { type LifecycleOptions, RequestLifecycle } from './request-lifecycle.ts'
import type { OpenStreams } from './stream-registry.ts'
import { openTunnel } from './websocket-tunnel.ts'

interface UpgradesOptions extends LifecycleOptions {
  takesWebSocket: (method: string, target: string) => boolean
  dispatcher: Dispatcher
  /** Pages of these may open a WebSocket of a signed-in user. */
  corsOrigins: readonly string[]
  streams: OpenStreams
}

/**
 * WebSockets, for rows that are some: decided like every request, then bytes are passed on both
 * ways for as long as the token holds. A request that asks for another protocol, or where no row
 * offers one, is served as if it had not asked.
 */
export function createUpgrades(options: UpgradesOptions) {
  const { takesWebSocket, dispatcher, streams } = options
  const origins = new Set(options.corsOrigins)

  /**
   * A browser asks for a page of any origin, and CORS does not hold it back (RFC 6455, section
   * 10.2).
   */
  function requireOrigin({ origin }: RequestHeaders): void {
    if (origin !== undefined && !origins.has(origin)) throw new Problem('origin_not_allowed')
  }

  function listener(request: IncomingMessage, _stream: Duplex, head: Buffer): void {
    const { socket } = request
    const lifecycle = new RequestLifecycle(options, request)
    let status = 499
    let isEnded = false

    function end(): void {
      if (isEnded) return
      isEnded = true
      lifecycle.ended(status)
    }

    // What it died of is nobody's concern; that it closed follows.
    socket.on('error', () => {})
    socket.on('close', end)
    // A response that is none of a WebSocket is over when it is written, however long its client
    // keeps the socket.
    socket.on('finish', () => {
      if (status !== 101) end()
    })

    function write(responseStatus: number, headers: Readonly<RawHeaders>, body = ''): void {
      status = responseStatus
      socket.write(rawHead(status, [...headers, ...lifecycle.commonHeaders()]) + body, 'latin1')
    }

    function reject(error: unknown): void {
      const problem = lifecycle.problemOf(error)
      if (socket.destroyed) return
      const response = formatProblem(problem, lifecycle.requestId)
      write(response.status, problemHeaders(response, true), response.body)
      socket.destroySoon()
    }

    function respond(decision: Decision, responseStatus: number, raw: RawHeaders): void {
      const headers = responseHeaders(responseStatus, raw, decision)
      if (responseStatus !== 101) write(responseStatus, [...headers, 'connection', 'close'])
      else {
        write(responseStatus, [...headers, 'connection', 'upgrade', 'upgrade', 'websocket'])
        socket.on(
          'close',
          streams.add(decision.caller, () => socket.destroy()),
        )
      }
    }

    function go(admission: Admission, headers: RequestHeaders): void {
      if (!lifecycle.enter(admission, socket.destroyed)) return
      requireOrigin(headers)
      admission.enterUpstream()
      openTunnel({
        socket,
        head,
        admission,
        dispatcher,
        respond: (responseStatus, raw) => respond(admission.decision, responseStatus, raw),
        reject,
      })
    }

    try {
      const headers = withHandshake(request.rawHeaders)
      const admitted = lifecycle.admit(headers)
      if (admitted instanceof Promise) admitted.then((admission) => go(admission, headers)).catch(reject)
      else go(admitted, headers)
    } catch (error) {
      reject(error)
    }
  }

  return {
    takes: ({ method = '', url = '', headers }: IncomingMessage): boolean =>
      headers.upgrade?.toLowerCase() === 'websocket' &&
      // Some clients say that a handshake has no body.
      (headers['content-length'] ?? '0') === '0' &&
      headers['transfer-encoding'] === undefined &&
      takesWebSocket(method, url),
    listener,
  }
}

/**
 * The headers of a request, with those of its handshake, and a token that it carries where others
 * have it.
 */
function withHandshake(raw: Readonly<RawHeaders>): RequestHeaders {
  const headers = readHeaders(raw)
  const { headers: handshake, credentials } = readHandshake(raw)
  const authorization = [headers.authorization, ...credentials].filter((one) => one !== undefined)
  return {
    ...headers,
    passed: [...headers.passed, ...handshake],
    authorization: authorization.length > 0 ? authorization.join(', ') : undefined,
  }
}

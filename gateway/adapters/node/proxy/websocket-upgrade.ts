import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { formatProblem, Problem } from '../../../../shared/http/errors.ts'
import { type RawHeaders, requestIdHeader } from '../../../../shared/http/headers.ts'
import type { RequestLifecycle } from '../../../../shared/http/request-lifecycle.ts'
import { rawHead } from '../../../../shared/node/http/format-head.ts'
import { problemHeaders } from '../../../../shared/node/http/problem-headers.ts'
import type { Admission } from '../../../decision/admission.ts'
import type { DecisionContext, RequestInfo } from '../../../decision/decision-context.ts'
import type { RuntimeRequest } from '../../../decision/request-runner.ts'
import { type RequestHeaders, readHeaders } from '../../../http/request-headers.ts'
import { responseHeaders } from '../../../http/response-headers.ts'
import { readHandshake } from '../../../http/websocket-handshake.ts'
import { type ProxiedRequestOptions, requestInfo } from './proxied-request.ts'
import { pathOf } from './request-handler.ts'
import type { EndStream } from './stream-registry.ts'
import { openTunnel } from './websocket-tunnel.ts'

interface WebSocketUpgradeOptions
  extends Pick<ProxiedRequestOptions, 'requests' | 'createLifecycle' | 'commonHeaders' | 'streams'> {
  isWebSocketRow: (method: string, target: string) => boolean
  dispatcher: Dispatcher
}

/**
 * Upgrades requests to WebSockets, for rows with `websocket`: decided like every request, then
 * tunnelled for as long as the token is valid. A request for another protocol, or on a row without
 * WebSockets, is served as if it had no Upgrade header.
 */
export function createWebSocketUpgrade(options: WebSocketUpgradeOptions) {
  const { isWebSocketRow, requests } = options

  return {
    accepts: ({ method = '', url = '', headers }: IncomingMessage): boolean =>
      headers.upgrade?.toLowerCase() === 'websocket' &&
      // Some clients send a Content-Length of 0 with a handshake.
      (headers['content-length'] ?? '0') === '0' &&
      headers['transfer-encoding'] === undefined &&
      isWebSocketRow(method, url),

    listener(request: IncomingMessage, _stream: Duplex, head: Buffer): void {
      void requests.run(new WebSocketRequest(options, request, head))
    },
  }
}

/** A handshake, and its socket. */
class WebSocketRequest implements RuntimeRequest<void> {
  readonly lifecycle: RequestLifecycle
  private readonly options: WebSocketUpgradeOptions
  private readonly request: IncomingMessage
  private readonly socket: Socket
  /** Bytes that the client sent behind its handshake. */
  private readonly head: Buffer
  private headers: RequestHeaders | undefined
  private status = 499
  private isEnded = false

  constructor(options: WebSocketUpgradeOptions, request: IncomingMessage, head: Buffer) {
    const { method = 'GET', url = '/', socket } = request
    this.options = options
    this.request = request
    this.socket = socket
    this.head = head
    this.lifecycle = options.createLifecycle(method, pathOf(url))
    // An error of the socket is followed by its close.
    socket.on('error', () => {})
    socket.on('close', () => this.end())
    // A response that opens no WebSocket ends when it is written, however long the client keeps the
    // socket.
    socket.on('finish', () => {
      if (this.status !== 101) this.end()
    })
  }

  private end(): void {
    if (this.isEnded) return
    this.isEnded = true
    this.lifecycle.end(this.status)
  }

  readInfo(): RequestInfo {
    this.headers = withHandshake(this.request.rawHeaders)
    return requestInfo(this.request, this.headers, this.lifecycle)
  }

  hasLeft(): boolean {
    return this.socket.destroyed
  }

  isAnswered(): boolean {
    return false
  }

  forward(admission: Admission): void {
    const { options, socket, head } = this
    this.requireOrigin(admission.decision)
    admission.enterUpstream()
    openTunnel({
      socket,
      head,
      admission,
      dispatcher: options.dispatcher,
      respond: (status, raw, end) => this.answer(admission.decision, status, raw, end),
      reject: (error) => options.requests.fail(this, error),
    })
  }

  /** Browsers open WebSockets for pages of any origin, without CORS (RFC 6455, section 10.2). */
  private requireOrigin({ row }: DecisionContext): void {
    const origin = this.headers?.origin
    if (origin !== undefined && !this.options.commonHeaders.grantsOf(row).allows(origin))
      throw new Problem('origin_not_allowed')
  }

  private answer(
    decision: DecisionContext,
    status: number,
    raw: RawHeaders,
    end: EndStream | undefined,
  ): void {
    const { socket, options, lifecycle } = this
    const headers = responseHeaders(status, raw, decision)
    const { list } = options.commonHeaders.ofResponse(decision.row, this.headers?.origin)
    headers.push(...list, requestIdHeader, lifecycle.requestId)
    if (!end) {
      this.write(status, [...headers, 'connection', 'close'])
      return
    }
    this.write(status, [...headers, 'connection', 'upgrade', 'upgrade', 'websocket'])
    socket.on('close', options.streams.add(decision.caller, end))
  }

  reject(problem: Problem): void {
    const { socket, options, lifecycle } = this
    if (socket.destroyed) return
    const answer = formatProblem(problem, lifecycle.requestId)
    const common = options.commonHeaders.ofRejection(
      lifecycle.route,
      this.headers?.origin,
      lifecycle.requestId,
    )
    this.write(answer.status, [...problemHeaders(answer, true), ...common], answer.body)
    socket.destroySoon()
  }

  private write(status: number, headers: Readonly<RawHeaders>, body = ''): void {
    this.status = status
    this.socket.write(rawHead(status, headers) + body, 'latin1')
  }
}

/**
 * The headers of a request with those of its handshake. A token among its subprotocols counts as
 * one of Authorization.
 */
function withHandshake(raw: Readonly<RawHeaders>): RequestHeaders {
  const headers = readHeaders(raw)
  const { headers: handshake, credentials } = readHandshake(raw)
  const authorization = [headers.authorization, ...credentials].filter((one) => one !== undefined)
  return {
    ...headers,
    passThrough: [...headers.passThrough, ...handshake],
    authorization: authorization.length > 0 ? authorization.join(', ') : undefined,
  }
}

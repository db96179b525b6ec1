import { Problem } from '../../../../shared/http/errors.ts'
import { type RawHeaders, requestIdHeader } from '../../../../shared/http/headers.ts'
import { rawHead } from '../../../../shared/node/http/format-head.ts'
import type { Admission } from '../../../decision/admission.ts'
import { AssertionRejected, isAssertionRejected } from '../../../http/assertion-rejection.ts'
import type { CommonHeaders } from '../../../http/common-headers.ts'
import {
  bodyTimeout,
  hasBody,
  noBody,
  type RequestBody,
  readRequestBody,
} from '../../../http/request-body.ts'
import type { RequestHeaders } from '../../../http/request-headers.ts'
import { interimHeaders, responseHeaders } from '../../../http/response-headers.ts'
import { endEventOf, type StreamEnd } from '../../../http/stream-end.ts'
import { isRead } from '../../../lib/http-method.ts'
import { TransportError } from '../../../ports.ts'
import type { Connection, Exchange } from '../upstream/connection.ts'
import type { Pool } from '../upstream/pool.ts'
import type { Framing } from '../upstream/response-head.ts'
import type { ClientRequest, ClientResponse } from './client-types.ts'
import { EventBoundaryReader } from './event-boundary.ts'
import type { EndStream, StreamRegistry } from './stream-registry.ts'
import type { Flushable, FlushPerTick } from './tick-flush.ts'

export interface ProxyExchangeOptions {
  request: ClientRequest
  response: ClientResponse
  headers: RequestHeaders
  admission: Admission
  pool: Pool
  /** Headers that every response has. */
  commonHeaders: CommonHeaders
  streams: StreamRegistry
  /** Milliseconds that a client may pause while it sends its body. */
  uploadIdleMs: number
  /** Ends the responses of one tick together. */
  flushPerTick: FlushPerTick
  /** Called with the seconds from the request upstream to the head of its response. */
  onUpstreamResponse: (upstream: string, seconds: number) => void
  /** Called once where no response of the upstream has begun. */
  reject: (error: unknown) => void
}

export interface CancellableExchange {
  /** Called when the client's connection has closed, after the whole response or before. */
  stop(): void
}

/** Up to this size a head and body written as one latin1 string cost less than two writes. */
const smallBytes = 4096

/**
 * Proxies one request upstream and its response back, streaming both ways without web streams. A
 * client that leaves cancels the request upstream; a response that the upstream aborts is aborted
 * for the client.
 */
export function proxyRequest(options: ProxyExchangeOptions): CancellableExchange {
  const { request, headers, admission, uploadIdleMs: idleMs } = options
  const { overLimitSlot } = admission
  if (!overLimitSlot && !hasBody(headers)) {
    const exchange = new ProxyExchange(options, noBody)
    exchange.start()
    return exchange
  }
  let exchange: ProxyExchange | undefined
  const start = (body: RequestBody) => {
    exchange = new ProxyExchange(options, body)
    exchange.start()
  }
  const client = overLimitSlot && new AbortController()
  const startWithSlot =
    overLimitSlot && client
      ? (body: RequestBody) => overLimitSlot.acquire(client.signal).then(() => start(body), options.reject)
      : start
  const proxied = {
    stop() {
      client?.abort()
      exchange?.stop()
      exchange = undefined
    },
  }
  if (!hasBody(headers)) {
    void startWithSlot(noBody)
    return proxied
  }
  if (!request.iterator) throw new Error('a body that cannot be read')
  const chunks: AsyncIterable<Uint8Array> = request.iterator({ destroyOnReturn: false })
  const bounds = { ...admission.decision.row, idleMs, signal: overLimitSlot?.bodySignal }
  readRequestBody(chunks, bounds).then(startWithSlot, options.reject)
  return proxied
}

const isEncoded = (headers: Readonly<RawHeaders>) =>
  headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-encoding')

const isEventStream = (headers: Readonly<RawHeaders>) =>
  headers.some(
    (name, i) =>
      i % 2 === 0 &&
      name.toLowerCase() === 'content-type' &&
      /^text\/event-stream\b/i.test(headers[i + 1] ?? ''),
  )

/**
 * Whether Node closes the connection after this response. Node forgets it when the Connection
 * header has another option.
 */
const endsConnection = (response: ClientResponse) =>
  response.shouldKeepAlive === false || response.getHeader?.('connection') === 'close'

class ProxyExchange implements Exchange, Flushable, CancellableExchange {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<RawHeaders>
  readonly body: RequestBody['body']
  readonly contentLength: number | undefined
  readonly bodyIdleMs: number
  private readonly options: ProxyExchangeOptions
  private readonly requestBody: RequestBody
  private connection: Connection | undefined
  private deadline: ReturnType<typeof setTimeout> | undefined
  private isPaused = false
  private isPastDeadline = false
  /** As `performance.now()` has it. */
  private sentAt = 0
  private isRetry = false
  /** Bytes of the response's body still to be received; NaN where its head does not say. */
  private leftBytes = 0
  private isEnding = false
  /** Finds the places of an event stream at which another event can begin; undefined otherwise. */
  private events: EventBoundaryReader | undefined
  private streamEnd: StreamEnd | undefined
  /** The end of the response's body, from when it is there until it is written. */
  private lastBytes: string | Buffer | undefined

  constructor(options: ProxyExchangeOptions, requestBody: RequestBody) {
    const { request, headers, admission } = options
    this.options = options
    this.requestBody = requestBody
    this.method = request.method ?? 'GET'
    this.target = admission.decision.target
    this.headers = admission.headers
    this.body = requestBody.body
    this.contentLength = headers.contentLength
    this.bodyIdleMs = admission.decision.row.idle_seconds * 1000
  }

  start(): void {
    const { response, admission, reject } = this.options
    if (response.closed) return
    try {
      admission.enterUpstream()
    } catch (error) {
      reject(error)
      return
    }
    this.deadline = setTimeout(this.abortAtDeadline, admission.decision.row.deadline_seconds * 1000)
    this.send()
  }

  private send(): void {
    this.sentAt = performance.now()
    this.connection = this.options.pool.send(this, this.isRetry)
  }

  private readonly abortAtDeadline = (): void => {
    this.isPastDeadline = true
    const isOfClient = this.requestBody.isAwaited()
    this.connection?.abort(this, isOfClient ? bodyTimeout() : new Error('no answer before the deadline'))
  }

  stop(): void {
    clearTimeout(this.deadline)
    if (!this.isEnding) this.connection?.abort(this, new Error('nobody waits for the response any more'))
  }

  /** Written to the socket, as the response has no head yet. HTTP/1.0 has no interim responses. */
  onInterim(status: number, raw: RawHeaders): void {
    const { request, response, admission } = this.options
    if (response.headersSent || response.closed || request.httpVersion === '1.0') return
    request.socket.write(rawHead(status, interimHeaders(status, raw, admission.decision)), 'latin1')
  }

  onHead(status: number, raw: RawHeaders, framing: Framing): void {
    clearTimeout(this.deadline)
    const { request, response, admission, commonHeaders, onUpstreamResponse } = this.options
    const { upstream } = admission.decision.row
    admission.onResponseHead(raw)
    onUpstreamResponse(upstream, (performance.now() - this.sentAt) / 1000)
    if (isAssertionRejected(status, raw)) {
      this.connection?.abort(this, new AssertionRejected(upstream))
      return
    }
    const headers = responseHeaders(status, raw, admission.decision)
    headers.push(requestIdHeader, admission.decision.request.requestId)
    // The rest of an unread request would be parsed as the next one (RFC 9112, section 9.3).
    if (!request.complete || endsConnection(response)) headers.push('connection', 'close')
    const fixed = commonHeaders.ofResponse(admission.decision.row, this.options.headers.origin)
    if (response.writeHeadWith) response.writeHeadWith(status, headers, fixed.lines)
    else response.writeHead(status, [...headers, ...fixed.list])
    this.leftBytes = typeof framing === 'number' ? framing : Number.NaN
    // The first byte of a stream may take long: its head is sent before it.
    if (framing === 'chunked' || framing === 'close') {
      response.flushHeaders()
      if (isEventStream(raw)) this.registerStream(raw)
    }
  }

  /** A stream of events can outlive its token, so the registry checks the token from here on. */
  private registerStream(raw: Readonly<RawHeaders>): void {
    const { response, admission, streams } = this.options
    if (!isEncoded(raw)) this.events = new EventBoundaryReader()
    response.once('close', streams.add(admission.decision.caller, this.endStream))
  }

  /** The second call cuts off a stream that cannot end between two events. */
  private readonly endStream: EndStream = (reason) => {
    if (!this.events || this.streamEnd) {
      this.options.response.destroy()
      return
    }
    this.streamEnd = reason
    if (this.events.isBetweenEvents) this.finishStream(reason)
  }

  private finishStream(reason: StreamEnd): void {
    this.isEnding = true
    this.connection?.abort(this, new Error(`the stream was ended: ${reason}`))
    this.options.response.end(endEventOf(reason), 'utf8')
  }

  private forwardEvents(bytes: Buffer, events: EventBoundaryReader): void {
    const { response } = this.options
    const end = this.streamEnd === undefined ? events.read(bytes) : events.readToBoundary(bytes)
    const isFree = response.write(Buffer.from(end === undefined ? bytes : bytes.subarray(0, end)))
    if (this.streamEnd !== undefined && end !== undefined) this.finishStream(this.streamEnd)
    else if (!isFree) this.pauseUpstream()
  }

  onData(bytes: Buffer): void {
    const { response } = this.options
    if (this.events) {
      this.forwardEvents(bytes, this.events)
      return
    }
    this.leftBytes -= bytes.byteLength
    if (this.leftBytes === 0) {
      this.endAtFlush(bytes.byteLength <= smallBytes ? bytes.toString('latin1') : Buffer.from(bytes))
    } else if (!response.write(Buffer.from(bytes))) this.pauseUpstream()
  }

  private pauseUpstream(): void {
    // Data that was received before the pause still arrives.
    if (this.isPaused) return
    this.isPaused = true
    this.connection?.pause(this)
    this.options.response.once('drain', () => {
      this.isPaused = false
      this.connection?.resume(this)
    })
  }

  onEnd(): void {
    this.options.admission.leaveUpstream()
    if (!this.isEnding) this.endAtFlush()
  }

  private endAtFlush(lastBytes?: string | Buffer): void {
    this.isEnding = true
    this.lastBytes = lastBytes
    this.options.flushPerTick(this)
  }

  flush(): void {
    const { response } = this.options
    if (!response.destroyed) response.end(this.lastBytes, 'latin1')
  }

  onError(error: Error, isWithoutResponse: boolean): void {
    const { response, admission, reject } = this.options
    if (this.isEnding && this.streamEnd) {
      admission.leaveUpstream()
      return
    }
    if (response.headersSent) {
      admission.leaveUpstream()
      response.destroy()
      return
    }
    // An upstream may close a kept-alive connection just as it is used, and others of the same age
    // with it.
    const mayRepeat = isWithoutResponse && isRead(this.method) && this.body === null
    if (mayRepeat && !this.isRetry && !this.isPastDeadline && !response.closed) {
      this.isRetry = true
      this.send()
      return
    }
    clearTimeout(this.deadline)
    admission.leaveUpstream()
    reject(this.failure(error))
  }

  private failure(cause: Error): unknown {
    if (cause instanceof Problem) return cause
    const problem = this.requestBody.problem()
    if (problem) return problem
    if (this.options.response.closed) return new TransportError('client_left', cause)
    return new TransportError(this.isPastDeadline ? 'timeout' : 'unreachable', cause)
  }
}

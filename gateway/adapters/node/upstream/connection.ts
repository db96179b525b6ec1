import type { Socket } from 'node:net'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import type { EpochMs } from '../../../../shared/lib/time.ts'
import { type ChunkedReader, createChunkedReader } from './chunked.ts'
import { type Framing, parseResponseHead, ResponseError } from './response-head.ts'

/**
 * One request and its callbacks. Exactly one of `onEnd` and `onError` is called.
 */
export interface Exchange {
  method: string
  /** Path and query. */
  target: string
  /** Without headers that frame the body. */
  headers: Readonly<RawHeaders>
  body: AsyncIterable<Uint8Array> | Uint8Array | null
  /** Length of a streamed body, if known. */
  contentLength: number | undefined
  /** The longest silence inside a response's body, in milliseconds. */
  bodyIdleMs: number
  /**
   * An interim response (RFC 9110, section 15.2) other than 100 and 101.
   *
   * @param headers names and values in turn, as they came
   */
  onInterim(status: number, headers: RawHeaders): void
  /** @param headers names and values in turn, as they came */
  onHead(status: number, headers: RawHeaders, framing: Framing): void
  /** @param bytes which another read overwrites: copied by a receiver that keeps them */
  onData(bytes: Buffer): void
  onEnd(): void
  /** @param isWithoutResponse whether no byte of a response was received */
  onError(error: Error, isWithoutResponse: boolean): void
}

const headEnd = Buffer.from('\r\n\r\n')

/** Most bytes of a response head. */
const maxHeadBytes = 64 * 1024

/**
 * Most interim responses before one response, and bytes of their heads together: the limits of
 * common clients.
 */
const maxInterim = 16
const maxInterimBytes = 16 * 1024

interface ConnectionOptions {
  socket: Socket
  /** Host header of the upstream. */
  host: string
  /**
   * Called when another exchange may begin. @param keepAliveSeconds idle time that the upstream
   * announced
   */
  onIdle: (connection: Connection, keepAliveSeconds: number | undefined) => void
  onClose: (connection: Connection) => void
  /** End of the connection's age; no exchange begins after it. */
  endsAt: EpochMs
}

/**
 * One connection to an upstream, for sequential exchanges. Any violation ends it: unsolicited
 * bytes, a response before its request was sent, an unannounced end.
 */
export class Connection {
  readonly socket: Socket
  private readonly options: ConnectionOptions
  private exchange: Exchange | undefined
  /** Bytes of an incomplete head. */
  private partialHead: Buffer | undefined
  /** The chunk in which a head ended, if it spans several. */
  private rest: Buffer | undefined
  /** Interim responses so far, and the bytes of their heads. */
  private interims = 0
  private interimBytes = 0
  /** Whether any byte of a response was received. */
  private isResponding = false
  private isHeadRead = false
  private isRequestSent = false
  private framing: Framing = 'none'
  private leftBytes = 0
  private chunked: ChunkedReader | undefined
  private isReusable = false
  private isTimed = false
  private keepAliveSeconds: number | undefined
  /** End of its idle time. */
  idleUntil: EpochMs = 0
  readonly endsAt: EpochMs

  constructor(options: ConnectionOptions) {
    this.options = options
    this.socket = options.socket
    this.endsAt = options.endsAt
    this.socket.setNoDelay(true)
    // Never emitted by a socket that reads into a buffer of its opener.
    this.socket.on('data', (bytes: Buffer) => this.receive(bytes))
    this.socket.on('end', () => this.receiveEnd())
    this.socket.on('error', (error) => this.fail(error))
    this.socket.on('timeout', () => this.destroy(new Error('the upstream fell silent')))
    this.socket.on('close', () => {
      this.fail(new Error('the upstream closed the connection'))
      options.onClose(this)
    })
  }

  begin(exchange: Exchange): void {
    this.exchange = exchange
    this.isResponding = false
    this.isHeadRead = false
    this.interims = 0
    this.interimBytes = 0
    this.isRequestSent = true
    this.chunked = undefined
    const { body } = exchange
    if (body === null || body instanceof Uint8Array) this.send(exchange, body)
    else void this.stream(exchange, body)
  }

  /**
   * Like `pause` and `resume`, does nothing once the exchange has ended: the connection may have
   * another.
   */
  abort(exchange: Exchange, error: Error): void {
    if (this.exchange === exchange) this.destroy(error)
  }

  /** Ends the current exchange and the connection. */
  destroy(error: Error): void {
    this.fail(error)
    this.socket.destroy()
  }

  /** Silence while the reads are paused is not the upstream's. */
  pause(exchange: Exchange): void {
    if (this.exchange !== exchange) return
    this.socket.pause()
    this.setTimed(false)
  }

  resume(exchange: Exchange): void {
    if (this.exchange !== exchange) return
    this.socket.resume()
    this.setTimed(true)
  }

  private setTimed(isTimed: boolean): void {
    if (isTimed === this.isTimed) return
    this.isTimed = isTimed
    this.socket.setTimeout(isTimed ? (this.exchange?.bodyIdleMs ?? 0) : 0)
  }

  private send(exchange: Exchange, body: Uint8Array | null): void {
    const length = body?.byteLength ?? 0
    const framing =
      body === null && exchange.method !== 'POST' && exchange.method !== 'PUT' && exchange.method !== 'PATCH'
        ? undefined
        : `content-length: ${length}`
    const head = this.headOf(exchange, framing)
    if (body === null || length === 0) {
      this.socket.write(head, 'latin1')
      return
    }
    this.socket.cork()
    this.socket.write(head, 'latin1')
    this.socket.write(body)
    this.socket.uncork()
  }

  private async stream(exchange: Exchange, body: AsyncIterable<Uint8Array>): Promise<void> {
    this.isRequestSent = false
    const { contentLength } = exchange
    const isChunked = contentLength === undefined
    const framing = isChunked ? 'transfer-encoding: chunked' : `content-length: ${contentLength}`
    this.socket.write(this.headOf(exchange, framing), 'latin1')
    let sent = 0
    try {
      for await (const bytes of body) {
        if (this.exchange !== exchange) return
        if (bytes.byteLength === 0) continue
        sent += bytes.byteLength
        if (!isChunked && sent > contentLength) throw new Error('the body is longer than it was said to be')
        if (!(isChunked ? this.writeChunk(bytes) : this.socket.write(bytes))) await this.drained()
      }
      if (this.exchange !== exchange) return
      if (isChunked) this.socket.write('0\r\n\r\n')
      else if (sent < contentLength) throw new Error('the body is shorter than it was said to be')
      this.isRequestSent = true
    } catch (error) {
      if (this.exchange === exchange) this.destroy(error as Error)
    }
  }

  private writeChunk(bytes: Uint8Array): boolean {
    this.socket.cork()
    this.socket.write(`${bytes.byteLength.toString(16)}\r\n`)
    this.socket.write(bytes)
    const isFree = this.socket.write('\r\n')
    this.socket.uncork()
    return isFree
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off('drain', done)
        this.socket.off('close', done)
        resolve()
      }
      this.socket.on('drain', done)
      this.socket.on('close', done)
    })
  }

  private headOf({ method, target, headers }: Exchange, framing: string | undefined): string {
    const lines = [`${method} ${target} HTTP/1.1`, `host: ${this.options.host}`]
    for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
    if (framing !== undefined) lines.push(framing)
    lines.push('', '')
    return lines.join('\r\n')
  }

  /** @param bytes which another read overwrites */
  receive(bytes: Buffer): void {
    if (!this.exchange) {
      this.socket.destroy()
      return
    }
    this.isResponding = true
    try {
      const bodyAt = this.isHeadRead ? 0 : this.readHeads(bytes)
      if (bodyAt === undefined) return
      this.readBody(this.rest ?? bytes, bodyAt)
      this.rest = undefined
      if (this.exchange && !this.socket.isPaused()) this.setTimed(true)
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  /** @returns offset of the body; undefined if the head is incomplete */
  private readHeads(received: Buffer): number | undefined {
    let bytes = this.partialHead ? Buffer.concat([this.partialHead, received]) : received
    this.partialHead = undefined
    for (;;) {
      const end = bytes.indexOf(headEnd)
      if ((end === -1 ? bytes.length : end) > maxHeadBytes) throw new ResponseError('a head too large')
      if (end === -1) {
        this.partialHead = Buffer.from(bytes)
        return undefined
      }
      const head = parseResponseHead(bytes.toString('latin1', 0, end), this.exchange?.method === 'HEAD')
      if (head.status === 101) throw new ResponseError('an upgrade that nobody asked for')
      if (head.status < 200) {
        this.interimBytes += end
        if (++this.interims > maxInterim || this.interimBytes > maxInterimBytes)
          throw new ResponseError('too many interim responses')
        // The gateway handles Expect itself and drops a 100 of the upstream.
        if (head.status !== 100) this.exchange?.onInterim(head.status, head.headers)
        bytes = bytes.subarray(end + headEnd.length)
        continue
      }
      this.isHeadRead = true
      this.rest = bytes
      this.beginResponse(head)
      return end + headEnd.length
    }
  }

  private beginResponse({
    status,
    headers,
    framing,
    isReusable,
    keepAliveSeconds,
  }: ReturnType<typeof parseResponseHead>) {
    const exchange = this.exchange as Exchange
    this.framing = framing
    this.isReusable = isReusable
    this.keepAliveSeconds = keepAliveSeconds
    this.leftBytes = typeof framing === 'number' ? framing : 0
    if (framing === 'chunked') this.chunked = createChunkedReader((data) => exchange.onData(data))
    exchange.onHead(status, headers, framing)
  }

  private readBody(bytes: Buffer, from: number): void {
    const exchange = this.exchange
    // The callback may have aborted the exchange.
    if (!exchange) return
    let at = from
    if (this.chunked) at = this.chunked.read(bytes, from)
    else if (this.framing === 'close') {
      if (from < bytes.length) exchange.onData(from === 0 ? bytes : bytes.subarray(from))
      return
    } else if (this.leftBytes > 0 && from < bytes.length) {
      at = Math.min(bytes.length, from + this.leftBytes)
      this.leftBytes -= at - from
      exchange.onData(from === 0 && at === bytes.length ? bytes : bytes.subarray(from, at))
    }
    const isDone = this.chunked ? this.chunked.isDone() : this.leftBytes === 0
    // Extra bytes after a response would be parsed as the next one.
    if (isDone) this.finish(at === bytes.length)
  }

  private finish(isClean: boolean): void {
    const exchange = this.exchange
    if (!exchange) return
    this.exchange = undefined
    this.setTimed(false)
    if (isClean && this.isReusable && this.isRequestSent && !this.socket.destroyed) {
      if (this.socket.isPaused()) this.socket.resume()
      this.options.onIdle(this, this.keepAliveSeconds)
    } else this.socket.destroy()
    exchange.onEnd()
  }

  private receiveEnd(): void {
    if (this.exchange && this.isHeadRead && this.framing === 'close') this.finish(false)
    else this.destroy(new Error('the upstream closed the connection'))
  }

  private fail(error: Error): void {
    const exchange = this.exchange
    if (!exchange) return
    this.exchange = undefined
    exchange.onError(error, !this.isResponding)
    this.partialHead = undefined
  }
}

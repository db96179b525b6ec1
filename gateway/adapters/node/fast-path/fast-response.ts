import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import { isNamed } from '../../../../shared/node/http/header-lines.ts'
import { httpDate } from './http-date.ts'

/** State shared by all responses of a connection. */
interface ResponseConnection {
  socket: Socket
  /** Keep-alive timeout, announced to the client. */
  keepAliveSeconds: number
  /** Whether the connection is to end with this response, where its headers do not say so. */
  isLast: () => boolean
  /** Called when the response has been handed to the system. */
  onWritten: (isLast: boolean) => void
}

/**
 * The response to a request on the fast path, with the members of Node's ServerResponse that its
 * writers use. Not an EventEmitter, which costs more than its two events: `close` comes once, when
 * all is written or the socket has closed before.
 *
 * Headers are written unchecked: callers validate them.
 */
export class FastPathResponse {
  statusCode = 200
  headersSent = false
  /** Whether nothing more will be written. */
  writableEnded = false
  /** Whether all of it has been handed to the system. */
  writableFinished = false
  closed = false
  private readonly connection: ResponseConnection
  private readonly isHead: boolean
  /** The lines of the head that have not gone out. */
  private lines: string[] = []
  private isChunked = false
  private isLast = false
  private readonly closeListeners: (() => void)[] = []
  private drainListener: (() => void) | undefined

  /** @param isHead whether it answers a HEAD */
  constructor(connection: ResponseConnection, isHead: boolean) {
    this.connection = connection
    this.isHead = isHead
  }

  get destroyed(): boolean {
    return this.closed || this.connection.socket.destroyed
  }

  /** @param headers without a Content-Length the body is sent in chunks */
  writeHead(status: number, headers: Readonly<RawHeaders>): void {
    this.writeHeadWith(status, headers, undefined)
  }

  /** @param formatted further header lines; none is Connection, Content-Length or Date */
  writeHeadWith(status: number, headers: Readonly<RawHeaders>, formatted: string | undefined): void {
    const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`]
    let hasLength = false
    let hasDate = false
    /** Connection options beside that of its end. */
    let options = ''
    this.isLast = this.connection.isLast()
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      const value = headers[i + 1] as string
      if (isNamed(name, 'connection')) {
        if (value === 'close') this.isLast = true
        else options += `, ${value}`
        continue
      }
      lines.push(`${name}: ${value}`)
      hasLength ||= isNamed(name, 'content-length')
      hasDate ||= isNamed(name, 'date')
    }
    if (formatted !== undefined) lines.push(formatted)
    this.isChunked = !hasLength && !this.isHead && status !== 204 && status !== 304
    if (!hasDate) lines.push(`Date: ${httpDate(Date.now())}`)
    if (this.isChunked) lines.push('Transfer-Encoding: chunked')
    if (this.isLast) lines.push(`Connection: close${options}`)
    else
      lines.push(
        `Connection: keep-alive${options}`,
        `Keep-Alive: timeout=${this.connection.keepAliveSeconds}`,
      )
    this.lines = lines
    this.statusCode = status
    this.headersSent = true
  }

  flushHeaders(): void {
    if (this.lines.length > 0) this.connection.socket.write(this.takeHead(), 'latin1')
  }

  /** The rest of the head with this behind it, in one piece: joined later, two cost more. */
  private takeHead(rest = ''): string {
    const { lines } = this
    if (lines.length === 0) return rest
    lines.push('', rest)
    const head = lines.join('\r\n')
    lines.length = 0
    return head
  }

  /** @returns false if the writer must wait for `drain` */
  write(bytes: Uint8Array): boolean {
    const { socket } = this.connection
    if (this.isHead || bytes.byteLength === 0) return true
    socket.cork()
    this.flushHeaders()
    if (this.isChunked) socket.write(`${bytes.byteLength.toString(16)}\r\n`, 'latin1')
    let isFree = socket.write(bytes)
    if (this.isChunked) isFree = socket.write('\r\n', 'latin1')
    socket.uncork()
    return isFree
  }

  end(rest: string | Uint8Array = '', encoding: BufferEncoding = 'utf8'): void {
    const { socket } = this.connection
    this.writableEnded = true
    if (typeof rest === 'string' && encoding === 'latin1' && !this.isChunked && !this.isHead) {
      socket.write(this.takeHead(rest), 'latin1', this.finish)
      return
    }
    socket.cork()
    this.write(typeof rest === 'string' ? Buffer.from(rest, encoding) : rest)
    socket.write(this.takeHead(this.isChunked ? '0\r\n\r\n' : ''), 'latin1', this.finish)
    socket.uncork()
  }

  private readonly finish = (error?: Error | null): void => {
    if (error || this.closed) return
    this.writableFinished = true
    this.close()
    this.connection.onWritten(this.isLast)
  }

  /** Aborts the response and the connection. */
  destroy(): void {
    if (!this.closed) this.connection.socket.destroy()
  }

  on(_event: 'close', listener: () => void): void {
    this.closeListeners.push(listener)
  }

  once(event: 'close' | 'drain', listener: () => void): void {
    if (event === 'close') this.closeListeners.push(listener)
    else this.drainListener = listener
  }

  /** To be called when the socket can take more. */
  drain(): void {
    const listener = this.drainListener
    this.drainListener = undefined
    listener?.()
  }

  /** To be called when the socket has closed. */
  close(): void {
    if (this.closed) return
    this.closed = true
    for (const listener of this.closeListeners) listener()
  }
}

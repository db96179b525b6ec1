import { EventEmitter } from 'node:events'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import { isNamed } from '../../../../shared/node/http/header-lines.ts'
import { httpDate } from './http-date.ts'

interface FastPathResponseOptions {
  socket: Socket
  isHead: boolean
  /** How long the connection is kept for the next request; told to the client. */
  keepAliveSeconds: number
  /** Whether the connection is to end with this response, where its headers do not say so. */
  isLast: () => boolean
  /** Told when all of it has been handed to the system. */
  onWritten: (isLast: boolean) => void
}

/**
 * The response to a request on the fast path, with the members of Node's ServerResponse that its
 * writers use. It emits
 * `close` once, when all is written or the socket has closed before, and `drain`.
 *
 * Headers go out as they are: whoever gives one vouches for it.
 */
export class FastPathResponse extends EventEmitter {
  statusCode = 200
  headersSent = false
  /** Whether nothing more will be written. */
  writableEnded = false
  /** Whether all of it has been handed to the system. */
  writableFinished = false
  closed = false
  private readonly options: FastPathResponseOptions
  /** What of the head has not gone out. */
  private head = ''
  private isChunked = false
  private isLast = false

  constructor(options: FastPathResponseOptions) {
    super()
    this.options = options
  }

  get destroyed(): boolean {
    return this.closed || this.options.socket.destroyed
  }

  /** @param headers without a Content-Length the body is sent in chunks */
  writeHead(status: number, headers: Readonly<RawHeaders>): void {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
    let hasLength = false
    let hasDate = false
    /** Connection options beside that of its end. */
    let options = ''
    this.isLast = this.options.isLast()
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      const value = headers[i + 1] as string
      if (isNamed(name, 'connection')) {
        if (value === 'close') this.isLast = true
        else options += `, ${value}`
        continue
      }
      head += `${name}: ${value}\r\n`
      hasLength ||= isNamed(name, 'content-length')
      hasDate ||= isNamed(name, 'date')
    }
    this.isChunked = !hasLength && !this.options.isHead && status !== 204 && status !== 304
    if (!hasDate) head += `Date: ${httpDate(Date.now())}\r\n`
    if (this.isChunked) head += 'Transfer-Encoding: chunked\r\n'
    head += this.isLast
      ? `Connection: close${options}\r\n\r\n`
      : `Connection: keep-alive${options}\r\nKeep-Alive: timeout=${this.options.keepAliveSeconds}\r\n\r\n`
    this.head = head
    this.statusCode = status
    this.headersSent = true
  }

  flushHeaders(): void {
    if (this.head !== '') this.options.socket.write(this.takeHead(), 'latin1')
  }

  private takeHead(): string {
    const { head } = this
    this.head = ''
    return head
  }

  /** @returns false where the writer is to wait for `drain` */
  write(bytes: Uint8Array): boolean {
    const { socket, isHead } = this.options
    if (isHead || bytes.byteLength === 0) return true
    socket.cork()
    this.flushHeaders()
    if (this.isChunked) socket.write(`${bytes.byteLength.toString(16)}\r\n`, 'latin1')
    let isFree = socket.write(bytes)
    if (this.isChunked) isFree = socket.write('\r\n', 'latin1')
    socket.uncork()
    return isFree
  }

  end(rest: string | Uint8Array = '', encoding: BufferEncoding = 'utf8'): void {
    const { socket, isHead } = this.options
    this.writableEnded = true
    if (typeof rest === 'string' && encoding === 'latin1' && !this.isChunked && !isHead) {
      socket.write(this.takeHead() + rest, 'latin1', this.finish)
      return
    }
    socket.cork()
    this.write(typeof rest === 'string' ? Buffer.from(rest, encoding) : rest)
    socket.write(this.takeHead() + (this.isChunked ? '0\r\n\r\n' : ''), 'latin1', this.finish)
    socket.uncork()
  }

  private readonly finish = (error?: Error | null): void => {
    if (error || this.closed) return
    this.writableFinished = true
    this.close()
    this.options.onWritten(this.isLast)
  }

  /** Breaks it off, and the connection with it. */
  destroy(): void {
    if (!this.closed) this.options.socket.destroy()
  }

  /** To be called when the socket has closed. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.emit('close')
  }
}

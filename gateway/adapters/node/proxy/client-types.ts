import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { RawHeaders } from '../../../../shared/http/headers.ts'

/** A client's request: Node's IncomingMessage, or a FastPathRequest. */
export interface ClientRequest {
  method?: string | undefined
  /** Path and query. */
  url?: string | undefined
  /** Scheme of the target, where the client sent the absolute form. */
  targetScheme?: 'http' | 'https'
  /** Names and values in turn, as received. */
  rawHeaders: RawHeaders
  /** Whether the whole request has been received. */
  complete: boolean
  socket: Pick<Socket, 'remoteAddress' | 'write'>
  /** 1.1 if undefined. */
  httpVersion?: string | undefined
  /** Iterates the body, where there may be one. */
  iterator?: IncomingMessage['iterator']
}

/** The response to a client: Node's ServerResponse, or a FastPathResponse. */
export interface ClientResponse {
  readonly statusCode: number
  readonly headersSent: boolean
  /** Whether the response is complete: nothing more will be written. */
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  readonly closed: boolean
  readonly destroyed: boolean
  /** false where the client asked to close its connection. */
  readonly shouldKeepAlive?: boolean
  /** A header that was set before `writeHead`, on responses that can have some. */
  getHeader?(name: 'connection'): unknown
  /** @param headers names and values in turn */
  writeHead(status: number, headers: RawHeaders): unknown
  /** @param formatted further lines of the head, where a writer takes them as they are */
  writeHeadWith?(status: number, headers: RawHeaders, formatted: string): unknown
  flushHeaders(): void
  /** @returns false where the writer should wait for `drain` */
  write(bytes: Uint8Array): boolean
  end(rest: string | Uint8Array | undefined, encoding: BufferEncoding): unknown
  destroy(): unknown
  on(event: 'close', listener: () => void): unknown
  once(event: 'close' | 'drain', listener: () => void): unknown
}

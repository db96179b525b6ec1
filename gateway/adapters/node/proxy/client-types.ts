import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { RawHeaders } from '../../../../shared/http/headers.ts'

/** What the way of a request needs to know of it: Node's IncomingMessage, or a FastPathRequest. */
export interface ClientRequest {
  method?: string | undefined
  /** Path and query. */
  url?: string | undefined
  /** That of the target, where the client sent the absolute form. */
  targetScheme?: 'http' | 'https'
  /** Names and values in turn, as they came. */
  rawHeaders: RawHeaders
  /** Whether all of it has come. */
  complete: boolean
  socket: Pick<Socket, 'remoteAddress' | 'write'>
  /** 1.1 where it is not said. */
  httpVersion?: string | undefined
  /** Of the body, where there may be one. */
  iterator?: IncomingMessage['iterator']
}

/**
 * What the way of a request needs of its response: Node's ServerResponse, or a FastPathResponse.
 */
export interface ClientResponse {
  readonly statusCode: number
  readonly headersSent: boolean
  /** Whether it is answered, and nothing more will be written. */
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  readonly closed: boolean
  readonly destroyed: boolean
  /** false where the client asked for the end of its connection. */
  readonly shouldKeepAlive?: boolean
  /** Of those that were set before `writeHead`, where some can be. */
  getHeader?(name: 'connection'): unknown
  /** @param headers names and values in turn */
  writeHead(status: number, headers: RawHeaders): unknown
  /** @param formatted further lines of the head, where a writer takes them as they are */
  writeHeadWith?(status: number, headers: RawHeaders, formatted: string): unknown
  flushHeaders(): void
  /** @returns false where the writer is to wait for `drain` */
  write(bytes: Uint8Array): boolean
  end(rest: string | Uint8Array | undefined, encoding: BufferEncoding): unknown
  destroy(): unknown
  on(event: 'close', listener: () => void): unknown
  once(event: 'close' | 'drain', listener: () => void): unknown
}

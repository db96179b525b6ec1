import type { RawHeaders } from '../../../../shared/http/headers.ts'
import { endOfLine, isNamed, readHeaderLines } from '../../../../shared/node/http/header-lines.ts'

/** Framing of a body (RFC 9112, section 6.3): its length in bytes, or how it ends. */
export type Framing = number | 'none' | 'chunked' | 'close'

export interface ResponseHead {
  status: number
  /** Names and values in turn, as they came. */
  headers: RawHeaders
  framing: Framing
  /** Whether the connection may carry another exchange. */
  isReusable: boolean
  /** Idle time in seconds that the upstream announced. */
  keepAliveSeconds: number | undefined
}

/** The upstream sent a malformed or ambiguous response. */
export class ResponseError extends Error {
  constructor(reason: string) {
    super(`the answer cannot be read: ${reason}`)
    this.name = 'ResponseError'
  }
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const digits = /^\d{1,15}$/

/**
 * Strict parser of a response head: an ambiguous response could split into two at another proxy.
 *
 * @param text of the head, a character a byte, without the empty line that ends it
 * @param isHead whether the response is to a HEAD
 * @throws ResponseError
 */
export function parseResponseHead(text: string, isHead: boolean): ResponseHead {
  const lineEnd = endOfLine(text, 0)
  const matched = statusLine.exec(text.slice(0, lineEnd))
  if (!matched) throw new ResponseError('status line')
  const status = Number(matched[2])
  const headers = readHeaderLines(text, lineEnd + 2)
  if (!headers) throw new ResponseError('field line')
  let length: string | undefined
  let transferEncoding: string | undefined
  let connection = matched[1] === '1' ? '' : 'close'
  let keepAliveSeconds: number | undefined

  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    // Names are compared only if a relevant name has the same length.
    switch (name.length) {
      case 10:
        if (isNamed(name, 'connection')) connection += `,${value}`
        else if (isNamed(name, 'keep-alive')) keepAliveSeconds = timeoutOf(value)
        break
      case 14:
        if (!isNamed(name, 'content-length')) break
        if (length !== undefined || !digits.test(value)) throw new ResponseError('content-length')
        length = value
        break
      case 17:
        if (!isNamed(name, 'transfer-encoding')) break
        if (transferEncoding !== undefined || !isNamed(value, 'chunked'))
          throw new ResponseError('transfer-encoding')
        transferEncoding = value
    }
  }
  if (length !== undefined && transferEncoding !== undefined) throw new ResponseError('two framings')
  const framing = framingOf({ status, isHead, length, isChunked: transferEncoding !== undefined })
  const isReusable =
    framing !== 'close' && !connection.split(',').some((option) => isNamed(option.trim(), 'close'))
  return { status, headers, framing, isReusable, keepAliveSeconds }
}

function timeoutOf(keepAlive: string): number | undefined {
  const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(keepAlive)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

interface FramingFacts {
  status: number
  isHead: boolean
  length: string | undefined
  isChunked: boolean
}

function framingOf({ status, isHead, length, isChunked }: FramingFacts): Framing {
  if (isHead || status < 200 || status === 204 || status === 304) return 'none'
  if (isChunked) return 'chunked'
  return length === undefined ? 'close' : Number(length)
}

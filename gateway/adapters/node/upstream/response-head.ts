/** How the end of a body is known (RFC 9112, section 6.3); bytes where its length was said. */
export type Framing = number | 'none' | 'chunked' | 'close'

export interface ResponseHead {
  status: number
  /** Names and values in turn, as they came. */
  fields: string[]
  framing: Framing
  /** Whether the connection may carry another exchange. */
  isReusable: boolean
  /** Seconds for which the upstream keeps an idle connection, where it says so. */
  keepAliveSeconds: number | undefined
}

/** What an upstream sent is no answer of HTTP/1.1, or one that can be read in two ways. */
export class ResponseError extends Error {
  constructor(reason: string) {
    super(`the answer cannot be read: ${reason}`)
    this.name = 'ResponseError'
  }
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
const fieldName = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/
const noFieldValue = /[^\t\x20-\x7e\x80-\xff]/
const digits = /^\d{1,15}$/

/**
 * Reads the head of an answer, strictly: two readings of one answer would be two answers to a client behind us.
 *
 * @param text of the head, a character a byte, without the empty line that ends it
 * @param isHead whether the answer is to a HEAD
 * @throws ResponseError
 */
export function parseResponseHead(text: string, isHead: boolean): ResponseHead {
  let lineEnd = endOfLine(text, 0)
  const matched = statusLine.exec(text.slice(0, lineEnd))
  if (!matched) throw new ResponseError('status line')
  const status = Number(matched[2])
  const fields: string[] = []
  let length: string | undefined
  let transferEncoding: string | undefined
  let connection = matched[1] === '1' ? '' : 'close'
  let keepAliveSeconds: number | undefined

  for (let at = lineEnd + 2; at < text.length; at = lineEnd + 2) {
    lineEnd = endOfLine(text, at)
    const colon = text.indexOf(':', at)
    if (colon === -1 || colon > lineEnd) throw new ResponseError('field line')
    const name = text.slice(at, colon)
    const value = trimmed(text, colon + 1, lineEnd)
    if (!fieldName.test(name) || noFieldValue.test(value)) throw new ResponseError('field line')
    fields.push(name, value)
    // Names are compared only where their length is that of one that matters.
    switch (name.length) {
      case 10:
        if (is(name, 'connection')) connection += `,${value}`
        else if (is(name, 'keep-alive')) keepAliveSeconds = timeoutOf(value)
        break
      case 14:
        if (!is(name, 'content-length')) break
        if (length !== undefined || !digits.test(value)) throw new ResponseError('content-length')
        length = value
        break
      case 17:
        if (!is(name, 'transfer-encoding')) break
        if (transferEncoding !== undefined || !is(value, 'chunked'))
          throw new ResponseError('transfer-encoding')
        transferEncoding = value
    }
  }
  if (length !== undefined && transferEncoding !== undefined) throw new ResponseError('two framings')
  const framing = framingOf({ status, isHead, length, isChunked: transferEncoding !== undefined })
  const isReusable =
    framing !== 'close' && !connection.split(',').some((option) => is(option.trim(), 'close'))
  return { status, fields, framing, isReusable, keepAliveSeconds }
}

/** A line feed alone ends a line for some and not for others: here it is in the line, which no field allows. */
function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from)
  return end === -1 ? text.length : end
}

/** Without the white space around it, of which long runs are no work for a pattern. */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text, start)) start++
  while (end > start && isBlank(text, end - 1)) end--
  return text.slice(start, end)
}

const isBlank = (text: string, at: number) => text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09

const is = (name: string, known: string) => name.toLowerCase() === known

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

import { holdsApiKey } from '../../shared/auth/api-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import { isInternalHeader, requestIdHeader } from '../../shared/http/headers.ts'
import { memoizeByString } from '../../shared/lib/memoize-by-string.ts'
import { isHopByHop, withoutNamed } from './hop-by-hop.ts'

/**
 * Headers that the gateway reads. Repeated headers are joined by commas.
 */
interface Read {
  host: string | undefined
  authorization: string | undefined
  /** Of another service where it holds none of our keys. */
  apiKey: string | undefined
  cookie: string | undefined
  origin: string | undefined
  connection: string | undefined
  via: string | undefined
  requestId: string | undefined
  forwardedFor: string | undefined
  forwardedProto: string | undefined
  forwarded: string | undefined
  traceparent: string | undefined
  tracestate: string | undefined
  baggage: string | undefined
  /** Bytes; NaN for a malformed value. */
  contentLength: number | undefined
  transferEncoding: string | undefined
}

export interface RequestHeaders extends Read {
  /** Headers that go upstream unchanged. */
  passThrough: Readonly<RawHeaders>
}

/** Headers read here and rebuilt for the upstream; `isReadAndPassed` names those that also pass. */
const read: ReadonlyMap<string, keyof Read> = new Map([
  ['host', 'host'],
  ['authorization', 'authorization'],
  ['x-api-key', 'apiKey'],
  ['cookie', 'cookie'],
  ['origin', 'origin'],
  ['connection', 'connection'],
  ['via', 'via'],
  ['content-length', 'contentLength'],
  ['transfer-encoding', 'transferEncoding'],
  ['x-forwarded-for', 'forwardedFor'],
  ['x-forwarded-proto', 'forwardedProto'],
  ['forwarded', 'forwarded'],
  ['traceparent', 'traceparent'],
  ['tracestate', 'tracestate'],
  ['baggage', 'baggage'],
  [requestIdHeader, 'requestId'],
])

/** Whether a header that is read here also passes: services have API keys of their own. */
const isReadAndPassed = (name: keyof Read, value: string): boolean =>
  name === 'origin' || (name === 'apiKey' && !holdsApiKey(value))

/** Headers about the client's connection, rebuilt from the gateway's own data. */
const rebuiltHeaders = new Set([
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'expect',
])

/** Headers that some frameworks use as another method or path than the matched one. */
const reroutingHeaders = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
])

/** Most headers of a request; common clients send fewer. */
export const maxHeaders = 200

type HeaderAction = 'passed' | 'dropped' | keyof Read

function evaluate(name: string): HeaderAction {
  const lower = name.toLowerCase()
  const readAs = read.get(lower)
  if (readAs !== undefined) return readAs
  // Some servers read `X_Forwarded_For`, or other separators, as `X-Forwarded-For`: all spellings
  // count.
  const spelled = lower.replace(/[^a-z\d]/g, '-')
  const isDropped =
    isHopByHop(spelled) ||
    rebuiltHeaders.has(spelled) ||
    reroutingHeaders.has(spelled) ||
    spelled.startsWith('x-forwarded-') ||
    isInternalHeader(spelled) ||
    // Headers of a WebSocket handshake; one of them may carry a token.
    spelled.startsWith('sec-websocket-') ||
    // Credentials are read by exact name only, so other spellings are dropped.
    (spelled !== lower && read.has(spelled))
  return isDropped ? 'dropped' : 'passed'
}

const actionFor = memoizeByString(evaluate)

/** Whether a header of this name goes upstream unchanged. */
export const isForwarded = (name: string): boolean => actionFor(name) === 'passed'

/** All members from the start: an object that gains them one by one costs V8 a lookup each. */
const nothingFound = (): Record<keyof Read, string | undefined> => ({
  host: undefined,
  authorization: undefined,
  apiKey: undefined,
  cookie: undefined,
  origin: undefined,
  connection: undefined,
  via: undefined,
  requestId: undefined,
  forwardedFor: undefined,
  forwardedProto: undefined,
  forwarded: undefined,
  traceparent: undefined,
  tracestate: undefined,
  baggage: undefined,
  contentLength: undefined,
  transferEncoding: undefined,
})

/**
 * Reads a request's headers in one pass.
 *
 * @param raw as received
 * @throws Problem `too_many_fields`, `bad_request` where Host came twice or the body is encoded in
 *   more than chunks
 */
export function readHeaders(raw: Readonly<RawHeaders>): RequestHeaders {
  if (raw.length > 2 * maxHeaders) throw new Problem('too_many_fields')
  const found = nothingFound()
  const passThrough: RawHeaders = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    const action = actionFor(name)
    if (action === 'passed') passThrough.push(name, value)
    else if (action !== 'dropped') {
      const before = found[action]
      if (before !== undefined && action === 'host') throw new Problem('bad_request')
      found[action] = before === undefined ? value : `${before}${action === 'cookie' ? '; ' : ', '}${value}`
      if (isReadAndPassed(action, value)) passThrough.push(name, value)
    }
  }
  const { contentLength, connection, transferEncoding } = found
  // An undecoded transfer coding would go upstream as the body, without its header.
  if (transferEncoding !== undefined && transferEncoding.toLowerCase() !== 'chunked')
    throw new Problem('bad_request')
  return {
    host: found.host,
    authorization: found.authorization,
    apiKey: found.apiKey,
    cookie: found.cookie,
    origin: found.origin,
    connection,
    via: found.via,
    requestId: found.requestId,
    forwardedFor: found.forwardedFor,
    forwardedProto: found.forwardedProto,
    forwarded: found.forwarded,
    traceparent: found.traceparent,
    tracestate: found.tracestate,
    baggage: found.baggage,
    transferEncoding,
    contentLength: contentLength === undefined ? undefined : Number(contentLength),
    passThrough: withoutNamed(passThrough, connection),
  }
}

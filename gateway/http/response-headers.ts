import type { RawHeaders } from '../../shared/http/headers.ts'
import {
  attemptHeader,
  isInternalHeader,
  ownCookiePrefix,
  requestIdHeader,
} from '../../shared/http/headers.ts'
import { memoizeByString } from '../../shared/lib/memoize-by-string.ts'
import type { CompiledRow } from '../policy/policy.ts'
import type { RowHeaders } from '../policy/row-headers.ts'
import { isHopByHop, ownVia, withoutNamed } from './hop-by-hop.ts'
import { type CachedDecision, withCaching } from './response-caching.ts'
import { withRowHeaders } from './row-response.ts'
import { securityHeaders } from './security-headers.ts'

/** Headers that reveal the upstream, or redirect clients to another server. */
const revealing = new Set(['server', 'x-powered-by', 'alt-svc'])

/** Headers that the gateway sets itself. */
const ownHeaders = new Set([...Object.keys(securityHeaders), requestIdHeader])

const special = [
  'connection',
  'set-cookie',
  'cache-control',
  'content-length',
  'upgrade',
  'ratelimit',
  'ratelimit-policy',
  attemptHeader,
] as const

type HeaderAction = 'passed' | 'dropped' | (typeof special)[number]

function evaluate(name: string): HeaderAction {
  const lower = name.toLowerCase()
  const known = special.find((one) => one === lower)
  if (known) return known
  const isDropped =
    isHopByHop(lower) ||
    revealing.has(lower) ||
    ownHeaders.has(lower) ||
    isInternalHeader(lower) ||
    // The gateway decides which origins may read a response.
    lower.startsWith('access-control-')
  return isDropped ? 'dropped' : 'passed'
}

const actionFor = memoizeByString(evaluate)

/**
 * A response without content has no Content-Length: a client may wait for the bytes (RFC 9110,
 * section 8.6).
 */
const isWithoutContent = (status: number) => status === 204 || status === 304 || status < 200

/**
 * Whether a browser would return it as one of the gateway's cookies. A nameless cookie is sent as
 * its value (RFC 6265bis, section 5.8.3).
 */
const isOwnCookie = (setCookie: string) => setCookie.replace(/^[\s=]+/, '').startsWith(ownCookiePrefix)

/** Part of a decision that affects the response. */
export interface ResponseDecision extends CachedDecision {
  row: Pick<CompiledRow, 'passes' | 'upstream' | 'who' | 'keys' | 'hasOwnHeaders' | keyof RowHeaders>
  /** Headers that the limits add, names and values in turn. */
  limitHeaders: Readonly<RawHeaders>
  /** Set where the origin says that an attempt has not failed, whatever its status. */
  isAttemptNotFailed?: boolean
}

interface Passed {
  /** Names and values in turn. */
  headers: RawHeaders
  /** Its lines joined. */
  cacheControl: string | undefined
  isAttemptNotFailed: boolean
  /** Value of Upgrade: the protocols that the upstream requires. */
  upgrade: string | undefined
}

/** The headers of an upstream that may pass. */
function passedOf(
  status: number,
  raw: Readonly<RawHeaders>,
  { passes, upstream }: Pick<CompiledRow, 'passes' | 'upstream'>,
): Passed {
  const passThrough: RawHeaders = []
  let connection: string | undefined
  let upgrade: string | undefined
  let cacheControl: string | undefined
  let isAttemptNotFailed = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    switch (actionFor(name)) {
      case 'dropped':
        continue
      case 'connection':
        connection = connection === undefined ? value : `${connection},${value}`
        continue
      case 'upgrade':
        upgrade = upgrade === undefined ? value : `${upgrade}, ${value}`
        continue
      case 'content-length':
        if (isWithoutContent(status)) continue
        break
      case attemptHeader:
        isAttemptNotFailed = upstream === 'origin'
        continue
      case 'set-cookie':
        // Only rows that pass cookies may set the gateway's cookies.
        if (isOwnCookie(value) && !passes.includes('cookies')) continue
        break
      case 'ratelimit':
      case 'ratelimit-policy':
        // The origin has its own limits. From another upstream the header would look like the
        // gateway's.
        if (upstream !== 'origin') continue
        break
      case 'cache-control':
        cacheControl = cacheControl === undefined ? value : `${cacheControl}, ${value}`
    }
    passThrough.push(name, value)
  }
  return { headers: withoutNamed(passThrough, connection), cacheControl, isAttemptNotFailed, upgrade }
}

/**
 * The headers of a response to the client, without those that every response has. Notes in the
 * decision where the origin says that an attempt has not failed: the header ends here.
 *
 * @param raw of the upstream, names and values in turn
 * @returns names and values in turn
 */
export function responseHeaders(
  status: number,
  raw: Readonly<RawHeaders>,
  decision: ResponseDecision,
): RawHeaders {
  const { row, limitHeaders } = decision
  const { headers, cacheControl, isAttemptNotFailed, upgrade } = passedOf(status, raw, row)
  if (isAttemptNotFailed) decision.isAttemptNotFailed = true
  headers.push('via', ownVia, ...limitHeaders)
  // A 426 has to say which protocol is required (RFC 9110, section 15.5.22).
  if (status === 426 && upgrade !== undefined) headers.push('upgrade', upgrade, 'connection', 'upgrade')
  const cached = withCaching(status, cacheControl, decision, headers)
  return row.hasOwnHeaders ? withRowHeaders(raw, row, cached) : cached
}

/**
 * The headers of an interim response to the client.
 *
 * @param raw of the upstream, names and values in turn
 * @returns names and values in turn
 */
export const interimHeaders = (
  status: number,
  raw: Readonly<RawHeaders>,
  { row }: { row: Pick<CompiledRow, 'passes' | 'upstream'> },
): RawHeaders => passedOf(status, raw, row).headers

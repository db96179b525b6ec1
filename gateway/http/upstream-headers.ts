import { holdsApiKey } from '../../shared/auth/api-key.ts'
import { formatUserLimits, type UserLimit } from '../../shared/contract/user-limits.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import {
  assertionHeader,
  overLimitHeader,
  ownCookiePrefix,
  requestIdHeader,
  userLimitsHeader,
} from '../../shared/http/headers.ts'
import { formatOverLimit, type OverLimit } from '../../shared/http/over-limit.ts'
import { addTraceHeaders } from '../../shared/http/trace-context.ts'
import type { RequestSpan } from '../../shared/http/tracing.ts'
import type { CompiledRow } from '../policy/policy.ts'
import type { RequestHeaders } from './request-headers.ts'

/** The cookies of a Cookie header except the gateway's own; undefined if none are left. */
function foreignCookies(field: string): string | undefined {
  const foreign = field.split(';').filter((pair) => !pair.trim().startsWith(ownCookiePrefix))
  return foreign.length > 0 ? foreign.join(';').trim() : undefined
}

/** Part of a decision that goes upstream. */
interface UpstreamDecision {
  row: Pick<CompiledRow, 'passes'>
  assertion: string
  exceededLimits: OverLimit | undefined
  userLimits?: readonly UserLimit[] | undefined
}

export interface ClientFacts {
  address: string
  requestId: string
  /** `https` or `http`. */
  scheme: string
  host: string
  /** This deployment's name in the Via header. */
  viaName: string
  /** Trace headers of the gateway's span, if one is recorded. */
  outgoingTrace?: RequestSpan['outgoingTrace'] | undefined
}

/**
 * The headers of the request upstream, names and values in turn: the client's headers that may
 * pass, and the gateway's assertion. The user's token or API key and the gateway's cookies are
 * removed: an upstream that never has them cannot leak them.
 */
export function upstreamHeaders(
  given: RequestHeaders,
  { row, assertion, exceededLimits, userLimits }: UpstreamDecision,
  { address, requestId, scheme, host, viaName, outgoingTrace }: ClientFacts,
): RawHeaders {
  const { passThrough, authorization, cookie, via } = given
  const headers = [...passThrough]
  if (authorization !== undefined && row.passes.includes('authorization') && !holdsApiKey(authorization))
    headers.push('authorization', authorization)
  const cookies = cookie === undefined || row.passes.includes('cookies') ? cookie : foreignCookies(cookie)
  if (cookies !== undefined) headers.push('cookie', cookies)
  // Added last, so that a client's Connection header cannot remove them.
  headers.push(assertionHeader, assertion, requestIdHeader, requestId)
  headers.push('x-forwarded-for', address, 'x-forwarded-proto', scheme, 'x-forwarded-host', host)
  // Keeps earlier entries, so that a loop through other proxies is detected.
  headers.push('via', via === undefined ? `1.1 ${viaName}` : `${via}, 1.1 ${viaName}`)
  if (exceededLimits) headers.push(overLimitHeader, formatOverLimit(exceededLimits))
  if (userLimits) headers.push(userLimitsHeader, formatUserLimits(userLimits))
  addTraceHeaders(headers, given, outgoingTrace)
  return headers
}

import type { RawHeaders } from '../../shared/http/headers.ts'
import {
  assertionHeader,
  overLimitHeader,
  ownCookiePrefix,
  requestIdHeader,
} from '../../shared/http/headers.ts'
import { formatOverLimit, type OverLimit } from '../../shared/http/over-limit.ts'
import { addTraceHeaders } from '../../shared/http/trace-context.ts'
import type { RequestSpan } from '../../shared/http/tracing.ts'
import type { Route } from '../policy/policy.ts'
import type { RequestHeaders } from './request-headers.ts'

/** The cookies of a Cookie header that are not ours, or undefined where there are none. */
function foreignCookies(field: string): string | undefined {
  const foreign = field.split(';').filter((pair) => !pair.trim().startsWith(ownCookiePrefix))
  return foreign.length > 0 ? foreign.join(';').trim() : undefined
}

/** The part of a decision that goes upstream. */
interface UpstreamDecision {
  route: Pick<Route, 'passes'>
  assertion: string
  overLimit: OverLimit | undefined
}

export interface ClientFacts {
  address: string
  requestId: string
  /** `https` or `http`. */
  scheme: string
  host: string
  /** This deployment's name in the Via header. */
  viaName: string
  /** The span that the request upstream belongs to, where one of ours is recorded. */
  onward?: RequestSpan['onward'] | undefined
}

/**
 * The headers of the request upstream, names and values in turn: what may pass, and who is calling
 * in our words. The user's token and our cookies are for us: an upstream that never has them cannot
 * lose them.
 */
export function upstreamHeaders(
  given: RequestHeaders,
  { route, assertion, overLimit }: UpstreamDecision,
  { address, requestId, scheme, host, viaName, onward }: ClientFacts,
): RawHeaders {
  const { passed, authorization, cookie, via } = given
  const headers = [...passed]
  if (authorization !== undefined && route.passes.includes('authorization'))
    headers.push('authorization', authorization)
  const cookies = cookie === undefined || route.passes.includes('cookies') ? cookie : foreignCookies(cookie)
  if (cookies !== undefined) headers.push('cookie', cookies)
  // Beyond the reach of any Connection header of a client's.
  headers.push(assertionHeader, assertion, requestIdHeader, requestId)
  headers.push('x-forwarded-for', address, 'x-forwarded-proto', scheme, 'x-forwarded-host', host)
  // With those before it, so that a loop over other proxies is noticed here.
  headers.push('via', via === undefined ? `1.1 ${viaName}` : `${via}, 1.1 ${viaName}`)
  if (overLimit) headers.push(overLimitHeader, formatOverLimit(overLimit))
  addTraceHeaders(headers, given, onward)
  return headers
}

import {
  assertionHeader,
  overLimitHeader,
  ownCookiePrefix,
  requestIdHeader,
} from '../../shared/http/headers.ts'
import { formatOverLimit, type OverLimit } from '../../shared/http/over-limit.ts'
import { addTraceFields } from '../../shared/http/trace-context.ts'
import type { RequestSpan } from '../../shared/http/tracing.ts'
import type { Route } from '../policy/policy.ts'
import type { RequestFields } from './request-headers.ts'

/** The cookies of a Cookie field that are not ours, or undefined where there are none. */
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
  /** This deployment's name in the Via field. */
  viaName: string
  /** The span that the request upstream belongs to, where one of ours is recorded. */
  onward?: RequestSpan['onward'] | undefined
}

/**
 * The fields of the request upstream, names and values in turn: what may pass, and who is calling
 * in our words. The user's token and our cookies are for us: an upstream that never has them cannot
 * lose them.
 */
export function upstreamFields(
  given: RequestFields,
  { route, assertion, overLimit }: UpstreamDecision,
  { address, requestId, scheme, host, viaName, onward }: ClientFacts,
): string[] {
  const { passed, authorization, cookie, via } = given
  const fields = [...passed]
  if (authorization !== undefined && route.passes.includes('authorization'))
    fields.push('authorization', authorization)
  const cookies = cookie === undefined || route.passes.includes('cookies') ? cookie : foreignCookies(cookie)
  if (cookies !== undefined) fields.push('cookie', cookies)
  // Beyond the reach of any Connection field of a client's.
  fields.push(assertionHeader, assertion, requestIdHeader, requestId)
  fields.push('x-forwarded-for', address, 'x-forwarded-proto', scheme, 'x-forwarded-host', host)
  // With those before it, so that a loop over other proxies is noticed here.
  fields.push('via', via === undefined ? `1.1 ${viaName}` : `${via}, 1.1 ${viaName}`)
  if (overLimit) fields.push(overLimitHeader, formatOverLimit(overLimit))
  addTraceFields(fields, given, onward)
  return fields
}

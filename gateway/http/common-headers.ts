import type { RawHeaders } from '../../shared/http/headers.ts'
import { requestIdHeader } from '../../shared/http/headers.ts'
import type { MatchedRoute } from '../../shared/http/request-lifecycle.ts'
import { isRowWithHeaders, type RowWithHeaders } from '../policy/row-headers.ts'
import { type CorsGrants, type CorsRules, createCorsGrants } from './cors-grants.ts'
import { securityHeaders, securityHeadersOf } from './security-headers.ts'

/** Headers that are the same in every response to pages of one origin. */
interface SharedHeaders {
  list: Readonly<RawHeaders>
  /** The same as lines of a head, without the end of the last. */
  lines: string
}

type HeadersForOrigin = (origin: string | undefined) => SharedHeaders

function toFixedHeaders(list: RawHeaders): SharedHeaders {
  const lines: string[] = []
  for (let i = 0; i < list.length; i += 2) lines.push(`${list[i]}: ${list[i + 1]}`)
  return { list, lines: lines.join('\r\n') }
}

/** Formats the headers once for each exact origin, and per request where a pattern matches. */
function createHeadersForOrigin(fixed: Readonly<RawHeaders>, grants: CorsGrants): HeadersForOrigin {
  const list = [...fixed, 'vary', 'Origin']
  const withGrant = (origin: string) => toFixedHeaders([...list, ...grants.headersOf(origin)])
  const everywhere = toFixedHeaders(list)
  const granted = new Map(grants.exactOrigins.map((origin) => [origin, withGrant(origin)]))
  return (origin) => {
    if (origin === undefined) return everywhere
    return granted.get(origin) ?? (grants.allows(origin) ? withGrant(origin) : everywhere)
  }
}

/** The headers of a row that sets its own, in place of the common ones. */
interface RowSet {
  grants: CorsGrants
  /** For responses of the upstream: without the headers that the row leaves to the upstream. */
  ofResponse: HeadersForOrigin
  /** For rejections by the gateway. */
  ofRejection: HeadersForOrigin
}

/**
 * The headers that every response has: security headers, what CORS grants to the origin of the page
 * that asked, and the request's id. A row may have its own. For a runtime that writes headers
 * itself; the middlewares add the same to a Response.
 */
export function createCommonHeaders(rules: CorsRules) {
  const grants = createCorsGrants(rules)
  const forOrigin = createHeadersForOrigin(Object.entries(securityHeaders).flat(), grants)
  const rowSets = new WeakMap<RowWithHeaders, RowSet>()

  function createRowSet(row: RowWithHeaders): RowSet {
    const { origins, request_headers, exposed_headers = [], max_age_seconds } = row.cors ?? {}
    const ownGrants = row.cors
      ? createCorsGrants({
          origins: origins ?? rules.origins,
          exposedHeaders: [...(rules.exposedHeaders ?? []), ...exposed_headers],
          requestHeaders: request_headers ?? rules.requestHeaders,
          maxAgeSeconds: max_age_seconds ?? rules.maxAgeSeconds,
        })
      : grants
    const entries = securityHeadersOf(row)
    const ofResponse = entries.filter(({ isOfUpstream }) => !isOfUpstream)
    const toList = (some: typeof entries) => some.flatMap(({ name, value }) => [name, value])
    return {
      grants: ownGrants,
      ofResponse: createHeadersForOrigin(toList(ofResponse), ownGrants),
      ofRejection: createHeadersForOrigin(toList(entries), ownGrants),
    }
  }

  function rowSetOf(route: MatchedRoute | undefined): RowSet | undefined {
    if (!isRowWithHeaders(route)) return undefined
    const known = rowSets.get(route)
    if (known) return known
    const set = createRowSet(route)
    rowSets.set(route, set)
    return set
  }

  return {
    /** All but the request's id, of a response of the upstream. */
    ofResponse: (row: RowWithHeaders, origin: string | undefined): SharedHeaders =>
      row.hasOwnHeaders ? (rowSetOf(row)?.ofResponse ?? forOrigin)(origin) : forOrigin(origin),

    /** @param route the row, where the request has matched one */
    ofRejection: (
      route: MatchedRoute | undefined,
      origin: string | undefined,
      requestId: string,
    ): RawHeaders => [
      ...(rowSetOf(route)?.ofRejection ?? forOrigin)(origin).list,
      requestIdHeader,
      requestId,
    ],

    /** The rules of CORS for responses of a row, or of none. */
    grantsOf: (route: MatchedRoute | undefined): CorsGrants => rowSetOf(route)?.grants ?? grants,
  }
}

export type CommonHeaders = ReturnType<typeof createCommonHeaders>

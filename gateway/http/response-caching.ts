import type { RawHeaders } from '../../shared/http/headers.ts'
import type { CompiledRow } from '../policy/policy.ts'
import { ofUpstream } from '../policy/row-headers.ts'

/**
 * With one of these a shared cache may serve the response of a request that had an Authorization
 * header to other requests (RFC 9111, section 3.5).
 */
const sharing = /(?:^|,)\s*(?:public|must-revalidate|s-maxage)\s*(?:[,=]|$)/i

/** Without field names: `private="Set-Cookie"` allows a shared cache to store the rest. */
const unshared = /(?:^|,)\s*(?:private|no-store)\s*(?:,|$)/i

/** A quoted value may hold the name of a directive. */
const withoutQuotedText = (cacheControl: string) => cacheControl.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')

const allowsSharing = (cacheControl: string) => sharing.test(withoutQuotedText(cacheControl))

const saysWhoShares = (cacheControl: string) =>
  allowsSharing(cacheControl) || unshared.test(withoutQuotedText(cacheControl))

/** Part of a decision that tells which caches may store the response. */
export interface CachedDecision {
  row: Pick<CompiledRow, 'who' | 'keys' | 'cache_control'>
  /** null for a request without a user. */
  caller: object | null
  apiKey?: object | undefined
  urlCredential?: object | undefined
}

/** The row's own value, where it applies to this response. */
function ownValueOf(status: number, { row, caller }: CachedDecision): string | undefined {
  const { who, cache_control: own } = row
  if (own === undefined || own === ofUpstream || status >= 400) return undefined
  // Of an optional row it is meant for the response that everybody gets.
  return caller && who === 'optional' && allowsSharing(own) ? undefined : own
}

/**
 * Appends the headers that tell caches whom a response is for, with Cache-Control of the row in
 * place of the upstream's.
 *
 * @param upstreams Cache-Control of the upstream, its lines joined
 * @param headers of the response, so far: names and values in turn
 */
export function withCaching(
  status: number,
  upstreams: string | undefined,
  decision: CachedDecision,
  headers: RawHeaders,
): RawHeaders {
  const { row, caller, apiKey, urlCredential } = decision
  // A shared cache that kept the response for anybody would serve it to users.
  if (row.keys) headers.push('vary', 'Authorization, X-Api-Key')
  else if (row.who === 'optional') headers.push('vary', 'Authorization')
  const own = ownValueOf(status, decision)
  const result = own === undefined ? headers : withoutCacheControl(headers)
  if (own !== undefined) result.push('cache-control', own)
  if (!caller) return result
  const stated = own ?? upstreams
  // A response for one user must not be cached unless the upstream allows it.
  if (stated === undefined && row.cache_control !== ofUpstream)
    result.push('cache-control', 'private, no-store')
  // Shared caches know Authorization as a credential, and neither keys nor signed URLs.
  else if ((apiKey || urlCredential) && !(stated !== undefined && saysWhoShares(stated)))
    result.push('cache-control', 'private')
  return result
}

const withoutCacheControl = (headers: Readonly<RawHeaders>): RawHeaders =>
  headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== 'cache-control')

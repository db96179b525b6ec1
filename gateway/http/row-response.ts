import type { RawHeaders } from '../../shared/http/headers.ts'
import { ofUpstream, type RowHeaders } from '../policy/row-headers.ts'
import { securityHeadersOf } from './security-headers.ts'

/** Values of a header, whose name is in lower case. */
const valuesOf = (raw: Readonly<RawHeaders>, name: string): string[] =>
  raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name)

/** The same headers without those of a name, which is in lower case. */
const without = (headers: Readonly<RawHeaders>, name: string): RawHeaders =>
  headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== name)

/**
 * Gives the response of a row the values that are the row's own, or the upstream's. An upstream
 * that sends none leaves the gateway's value.
 *
 * @param raw of the upstream
 * @param headers of the response, so far
 */
export function withRowHeaders(
  status: number,
  raw: Readonly<RawHeaders>,
  row: RowHeaders,
  headers: Readonly<RawHeaders>,
): RawHeaders {
  const { cache_control: cacheControl } = row
  const isReplaced = cacheControl !== undefined && cacheControl !== ofUpstream && status < 400
  const result = isReplaced ? without(headers, 'cache-control') : [...headers]
  if (isReplaced) result.push('cache-control', cacheControl)
  for (const { name, value, isOfUpstream } of securityHeadersOf(row)) {
    if (!isOfUpstream) continue
    const values = valuesOf(raw, name)
    for (const each of values.length > 0 ? values : [value]) result.push(name, each)
  }
  return result
}

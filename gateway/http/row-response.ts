import type { RawHeaders } from '../../shared/http/headers.ts'
import type { RowHeaders } from '../policy/row-headers.ts'
import { securityHeadersOf } from './security-headers.ts'

/** Values of a header, whose name is in lower case. */
const valuesOf = (raw: Readonly<RawHeaders>, name: string): string[] =>
  raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name)

/**
 * Gives the response of a row the security headers of the upstream, where the row leaves them to
 * it. An upstream that sends none leaves the gateway's value.
 *
 * @param raw of the upstream
 * @param headers of the response, so far
 */
export function withRowHeaders(
  raw: Readonly<RawHeaders>,
  row: RowHeaders,
  headers: Readonly<RawHeaders>,
): RawHeaders {
  const result = [...headers]
  for (const { name, value, isOfUpstream } of securityHeadersOf(row)) {
    if (!isOfUpstream) continue
    const values = valuesOf(raw, name)
    for (const each of values.length > 0 ? values : [value]) result.push(name, each)
  }
  return result
}

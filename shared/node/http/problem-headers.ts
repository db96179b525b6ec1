import type { FormattedProblem } from '../../http/errors.ts'
import type { RawHeaders } from '../../http/headers.ts'

/**
 * The headers of a problem's response, where a server writes them itself.
 *
 * @param isLast whether the connection ends with this response
 * @returns names and values in turn
 */
export function problemHeaders({ headers, body }: FormattedProblem, isLast: boolean): RawHeaders {
  const rawHeaders = [...Object.entries(headers).flat(), 'content-length', String(Buffer.byteLength(body))]
  if (isLast && !('connection' in headers)) rawHeaders.push('connection', 'close')
  return rawHeaders
}

import type { ProblemAnswer } from '../../http/errors.ts'

/**
 * The fields of a problem's answer, where a server writes them itself.
 *
 * @param isLast whether the connection ends with this answer
 * @returns names and values in turn
 */
export function problemFields({ headers, body }: ProblemAnswer, isLast: boolean): string[] {
  const fields = [...Object.entries(headers).flat(), 'content-length', String(Buffer.byteLength(body))]
  if (isLast && !('connection' in headers)) fields.push('connection', 'close')
  return fields
}

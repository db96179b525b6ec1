import type { RawHeaders } from '../../shared/http/headers.ts'

/** The largest cost of one response. */
export const maxResponseCost = 1_000_000

const decimal = /^\d{1,7}$/

/**
 * The cost that a response of an upstream names.
 *
 * @param headers names and values in turn
 * @param name in lower case
 * @returns undefined where the header is missing, repeated, or no number within bounds: the cost of
 *   the row stays
 */
export function costOfResponse(headers: Readonly<RawHeaders>, name: string): number | undefined {
  let text: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() !== name) continue
    if (text !== undefined) return undefined
    text = headers[i + 1]
  }
  if (text === undefined || !decimal.test(text)) return undefined
  const cost = Number(text)
  return cost <= maxResponseCost ? cost : undefined
}

import type { RawHeaders } from '../../http/headers.ts'

/** What a header's name is made of (RFC 9110, section 5.1). */
const fieldName = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/
const noFieldValue = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Reads the field lines of a head, strictly.
 *
 * @param text of the head, a character a byte, without the empty line that ends it
 * @param from where the first field line begins
 * @returns names and values in turn, as they came; undefined where a line is none
 */
export function readHeaderLines(text: string, from: number): RawHeaders | undefined {
  const headers: RawHeaders = []
  for (let at = from; at < text.length; ) {
    const end = endOfLine(text, at)
    const colon = text.indexOf(':', at)
    if (colon === -1 || colon > end) return undefined
    const name = text.slice(at, colon)
    const value = trimmed(text, colon + 1, end)
    if (!fieldName.test(name) || noFieldValue.test(value)) return undefined
    headers.push(name, value)
    at = end + 2
  }
  return headers
}

/**
 * A line feed alone ends a line for some and not for others: here it is in the line, which no
 * header allows.
 */
export function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from)
  return end === -1 ? text.length : end
}

/** Without the white space around it, of which long runs are no work for a pattern. */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text, start)) start++
  while (end > start && isBlank(text, end - 1)) end--
  return text.slice(start, end)
}

/**
 * Whether a name is this one, in whatever case; written out only where its length is that of it.
 */
export const isNamed = (name: string, known: string): boolean =>
  name.length === known.length && name.toLowerCase() === known

const isBlank = (text: string, at: number) => text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09

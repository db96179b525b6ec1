import type { RawHeaders } from '../../http/headers.ts'

/** Characters of a header name (RFC 9110, section 5.1). */
const fieldName = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/
const noFieldValue = /[^\t\x20-\x7e\x80-\xff]/

/**
 * Strict parser of the field lines of a head.
 *
 * @param text the head in latin1, without the empty line that ends it
 * @param from where the first field line begins
 * @returns names and values in turn, as they came; undefined for a malformed line
 */
export function readHeaderLines(text: string, from: number): RawHeaders | undefined {
  const headers: RawHeaders = []
  for (let at = from; at < text.length; ) {
    const end = endOfLine(text, at)
    const colon = text.indexOf(':', at)
    if (colon === -1 || colon > end) return undefined
    const name = readName(text, at, colon)
    const value = trimmed(text, colon + 1, end)
    if (name === undefined || noFieldValue.test(value)) return undefined
    headers.push(name, value)
    at = end + 2
  }
  return headers
}

/**
 * Header names read before, each in one slot that follows from its length and its ends. Few names
 * recur. A cached name has been validated and V8 has hashed it, which makes map lookups cheaper.
 * Any other name only takes a slot.
 */
const namesRead: (string | undefined)[] = Array.from({ length: 256 })
const maxCachedNameLength = 64

/** @returns undefined for what is no name */
function readName(text: string, from: number, to: number): string | undefined {
  const length = to - from
  const slot = (31 * length + 7 * text.charCodeAt(from) + text.charCodeAt(to - 1)) & 255
  const known = namesRead[slot]
  if (known !== undefined && known.length === length && text.startsWith(known, from)) return known
  const name = text.slice(from, to)
  if (!fieldName.test(name)) return undefined
  // A key of an object is a string that V8 has hashed, and no slice that keeps its whole head.
  if (length <= maxCachedNameLength) [namesRead[slot]] = Object.keys({ [name]: true })
  return name
}

/**
 * A line feed alone ends a line for some and not for others: here it is in the line, which no
 * header allows.
 */
export function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\r\n', from)
  return end === -1 ? text.length : end
}

/** Trimmed by hand: a pattern is slow on long runs of white space. */
function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text, start)) start++
  while (end > start && isBlank(text, end - 1)) end--
  return text.slice(start, end)
}

/**
 * Case-insensitive comparison of a name, which checks the length first.
 */
export const isNamed = (name: string, known: string): boolean =>
  name.length === known.length && name.toLowerCase() === known

const isBlank = (text: string, at: number) => text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09

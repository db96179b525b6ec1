import { Problem } from '../../shared/http/errors.ts'

/** One element of a Forwarded header: the client of one proxy, as that proxy reports it. */
export interface ForwardedElement {
  for: string | undefined
  proto: string | undefined
}

const token = /[!#$%&'*+\-.^_`|~\dA-Za-z]+/y
const quoted = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"/y
const separators = /[;, \t]*/y

/**
 * Reads a Forwarded header (RFC 7239, section 4). One error rejects the whole header: a quote that
 * a client opens could make a lenient reader skip the element of a proxy.
 *
 * @returns the elements, the oldest first
 * @throws Problem `bad_request`
 */
export function readForwarded(field: string): ForwardedElement[] {
  const elements: ForwardedElement[] = []
  let element: ForwardedElement = { for: undefined, proto: undefined }
  let at = 0

  function match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at
    const found = pattern.exec(field)
    if (found) at = pattern.lastIndex
    return found
  }

  function fail(): never {
    throw new Problem('bad_request', { cause: 'Forwarded is malformed' })
  }

  match(separators)
  while (at < field.length) {
    const name = match(token)?.[0].toLowerCase()
    if (name === undefined || field[at] !== '=') fail()
    at++
    const value = match(token)?.[0] ?? match(quoted)?.[1]?.replace(/\\(.)/g, '$1')
    if (value === undefined) fail()
    if (name === 'for' || name === 'proto') {
      if (element[name] !== undefined) fail()
      element[name] = value
    }
    const separated = match(separators)?.[0] ?? ''
    const isEnd = at === field.length
    if (!isEnd && !/[;,]/.test(separated)) fail()
    if (isEnd || separated.includes(',')) {
      elements.push(element)
      element = { for: undefined, proto: undefined }
    }
  }
  return elements
}

import { Problem } from '../../shared/http/errors.ts'

export interface Target {
  /** Normalized form, used for matching and forwarding. */
  path: string
  /** With its `?`, or empty. */
  query: string
}

const wellFormed = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/

/** Percent-encoded unreserved characters (RFC 3986, section 2.3). */
const encodedUnreserved = /%(?:2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi

/**
 * Empty and dot segments, also those that are left where a server removes path parameters (`;...`).
 */
const ambiguousSegment = /\/(?:\/|\.{1,2}(?:\/|$)|\.{0,2}(?:;|%3b))/i

/**
 * Encoded slashes, backslashes and controls, overlong and invalid UTF-8 (%c0, %c1 and others), and
 * encoded percent signs in front of what a second decoding would take for an encoded character.
 */
const ambiguousEncoding =
  /%(?:2f|5c|7f|25(?:[\da-f]{2}|u[\da-f]{4})|[01][\da-f]|c[01]|e0%[89]|ed%[ab]|f0%8|f[5-9a-f])/i

/**
 * Decodes the characters that need no encoding: both forms name the same resource (RFC 3986,
 * section 6.2.2.2).
 */
export function normalizePath(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(encodedUnreserved, (encoded) =>
    String.fromCharCode(Number.parseInt(encoded.slice(1), 16)),
  )
}

/** The rejection of a path that servers read in different ways. */
export const ambiguousPath = () =>
  new Problem('bad_request', { members: { detail: 'The path can be read in more than one way.' } })

/**
 * Splits a target, and refuses paths that servers read in different ways: the path that is matched
 * here must be the one that the upstream reads.
 *
 * @throws Problem `bad_request`
 */
export function readTarget(target: string): Target {
  const queryAt = target.indexOf('?')
  const given = queryAt === -1 ? target : target.slice(0, queryAt)
  if (!wellFormed.test(given)) throw ambiguousPath()
  const path = normalizePath(given)
  if (ambiguousSegment.test(path) || (path.includes('%') && ambiguousEncoding.test(path)))
    throw ambiguousPath()
  return { path, query: queryAt === -1 ? '' : target.slice(queryAt) }
}

/**
 * Whether some servers route by another form of this path; `otherReading` is that form. Cheap, for
 * the paths of which none does.
 */
export const mayBeReadOtherwise = (path: string): boolean =>
  path.endsWith('/') || path.includes(';') || path.includes('%3b') || path.includes('%3B')

/**
 * The path without its parameters and without a slash at its end: some servers route
 * `/files;v=1/a/` as `/files/a`.
 */
export const otherReading = (path: string): string =>
  path.replace(/(?:;|%3b)[^/]*/gi, '').replace(/(?<=.)\/$/, '')

import { Problem } from '../shared/errors.ts'

export interface Target {
  path: string
  /** With its `?`, or empty. */
  query: string
}

/**
 * What servers read in different ways: empty and dot segments, encoded slashes, controls, percent signs and overlong bytes (%c0, %c1),
 * an encoding of what needs none (RFC 3986, section 2.3), backslashes and path parameters. Refused outright, so that what was matched here is
 * what the upstream will read.
 */
const ambiguous =
  /\/\/|[\\;]|%(2[5def]|3[0-9b]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef]|[01][0-9a-f]|c[01]|e0%[89]|ed%[ab]|f0%8|f[5-9a-f])|\/\.{1,2}(\/|$)/i

const wellFormed = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*$/

/** @throws Problem `bad_request` */
export function readTarget(target: string): Target {
  const queryAt = target.indexOf('?')
  const path = queryAt === -1 ? target : target.slice(0, queryAt)
  if (!wellFormed.test(path) || ambiguous.test(path))
    throw new Problem('bad_request', { members: { detail: 'The path can be read in more than one way.' } })
  return { path, query: queryAt === -1 ? '' : target.slice(queryAt) }
}

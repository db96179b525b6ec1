import { Problem } from '../shared/errors.ts'

export interface Target {
  path: string
  /** With its `?`, or empty. */
  query: string
}

/**
 * What servers read in different ways: empty and dot segments, encoded slashes, dots, controls and percent signs, backslashes and
 * path parameters. Refused outright, so that what was matched here is what the upstream will read.
 */
const ambiguous = /\/\/|[\\;]|%(2f|5c|2e|25|3b|[01][0-9a-f]|7f)|\/\.{1,2}(\/|$)/i

const wellFormed = /^\/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*$/

/** @throws Problem `bad_request` */
export function readTarget(target: string): Target {
  const queryAt = target.indexOf('?')
  const path = queryAt === -1 ? target : target.slice(0, queryAt)
  if (!wellFormed.test(path) || ambiguous.test(path))
    throw new Problem('bad_request', { members: { detail: 'The path can be read in more than one way.' } })
  return { path, query: queryAt === -1 ? '' : target.slice(queryAt) }
}

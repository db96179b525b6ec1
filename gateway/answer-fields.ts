import { isInternalHeader, ownCookiePrefix, requestIdHeader } from '../shared/headers.ts'
import { rememberTexts } from '../shared/remember-texts.ts'
import type { Decision } from './decision.ts'
import { isHopByHop, ownVia, withoutNamed } from './hop-by-hop.ts'
import { securityHeaders } from './middleware/security-headers.ts'

/** What an upstream says of itself is nobody's business, nor may it send clients to where we do not stand. */
const revealing = new Set(['server', 'x-powered-by', 'alt-svc'])

/** Ours to say, whatever an upstream does. */
const ours = new Set([...Object.keys(securityHeaders), requestIdHeader, 'ratelimit', 'ratelimit-policy'])

type Fate = 'passed' | 'dropped' | 'connection' | 'set-cookie' | 'cache-control'

function judge(name: string): Fate {
  const lower = name.toLowerCase()
  if (lower === 'connection' || lower === 'set-cookie' || lower === 'cache-control') return lower
  const isDropped =
    isHopByHop(lower) ||
    revealing.has(lower) ||
    ours.has(lower) ||
    isInternalHeader(lower) ||
    // Which origins may read an answer is for the gateway to say.
    lower.startsWith('access-control-')
  return isDropped ? 'dropped' : 'passed'
}

const fateOf = rememberTexts(judge)

/**
 * The fields of an answer to the client, but for those that every answer has: what of the upstream's may pass, and what the decision adds.
 *
 * @param raw of the upstream, names and values in turn
 * @returns names and values in turn
 */
export function answerFields(
  raw: readonly string[],
  { route, caller, limitFields }: Pick<Decision, 'route' | 'caller' | 'limitFields'>,
): string[] {
  const passed: string[] = []
  let connection: string | undefined
  let isCacheSaid = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    const fate = fateOf(name)
    if (fate === 'dropped') continue
    if (fate === 'connection') {
      connection = connection === undefined ? value : `${connection},${value}`
      continue
    }
    // No upstream sets a cookie that we would believe, unless its row says that it is for it to set.
    if (
      fate === 'set-cookie' &&
      value.trimStart().startsWith(ownCookiePrefix) &&
      !route.passes.includes('cookies')
    )
      continue
    if (fate === 'cache-control') isCacheSaid = true
    passed.push(name, value)
  }
  const fields = withoutNamed(passed, connection)
  fields.push('via', ownVia, ...limitFields)
  // What one user was told is nobody else's: no cache on the way keeps it unless the upstream says so.
  if (caller && !isCacheSaid) fields.push('cache-control', 'private, no-store')
  return fields
}

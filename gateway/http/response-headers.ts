import { isInternalHeader, ownCookiePrefix, requestIdHeader } from '../../shared/http/headers.ts'
import { rememberTexts } from '../../shared/lib/memoize-by-string.ts'
import type { Decision } from '../decision/decide.ts'
import { isHopByHop, ownVia, withoutNamed } from './hop-by-hop.ts'
import { securityHeaders } from './security-headers.ts'

/** What an upstream says of itself is nobody's business, nor may it send clients to where we do not stand. */
const revealing = new Set(['server', 'x-powered-by', 'alt-svc'])

/** Ours to say, whatever an upstream does. */
const ours = new Set([...Object.keys(securityHeaders), requestIdHeader])

const special = [
  'connection',
  'set-cookie',
  'cache-control',
  'content-length',
  'upgrade',
  'ratelimit',
  'ratelimit-policy',
] as const

type Fate = 'passed' | 'dropped' | (typeof special)[number]

function judge(name: string): Fate {
  const lower = name.toLowerCase()
  const known = special.find((one) => one === lower)
  if (known) return known
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

/** A response that has no content says nothing of its length: a client may wait for that (RFC 9110, section 8.6). */
const isWithoutContent = (status: number) => status === 204 || status === 304 || status < 200

interface Passed {
  /** Names and values in turn. */
  fields: string[]
  isCacheSaid: boolean
  /** Protocols that the upstream wants in place of this one. */
  upgrade: string | undefined
}

/** What of an upstream's fields may pass. */
function passedOf(status: number, raw: readonly string[], { passes, upstream }: Decision['route']): Passed {
  const passed: string[] = []
  let connection: string | undefined
  let upgrade: string | undefined
  let isCacheSaid = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    switch (fateOf(name)) {
      case 'dropped':
        continue
      case 'connection':
        connection = connection === undefined ? value : `${connection},${value}`
        continue
      case 'upgrade':
        upgrade = upgrade === undefined ? value : `${upgrade}, ${value}`
        continue
      case 'content-length':
        if (isWithoutContent(status)) continue
        break
      case 'set-cookie':
        // No upstream sets a cookie that we would believe, unless its row says that it is for it to set.
        if (value.trimStart().startsWith(ownCookiePrefix) && !passes.includes('cookies')) continue
        break
      case 'ratelimit':
      case 'ratelimit-policy':
        // The origin has limits of its own; what another upstream says would pass for the gateway's.
        if (upstream !== 'origin') continue
        break
      case 'cache-control':
        isCacheSaid = true
    }
    passed.push(name, value)
  }
  return { fields: withoutNamed(passed, connection), isCacheSaid, upgrade }
}

/**
 * The fields of an answer to the client, but for those that every answer has: what of the upstream's may pass, and what the decision adds.
 *
 * @param raw of the upstream, names and values in turn
 * @returns names and values in turn
 */
export function answerFields(
  status: number,
  raw: readonly string[],
  { route, caller, limitFields }: Pick<Decision, 'route' | 'caller' | 'limitFields'>,
): string[] {
  const { fields, isCacheSaid, upgrade } = passedOf(status, raw, route)
  fields.push('via', ownVia, ...limitFields)
  // What one user was told is nobody else's: no cache on the way keeps it unless the upstream says so.
  if (caller && !isCacheSaid) fields.push('cache-control', 'private, no-store')
  // A 426 has to say which protocol is required (RFC 9110, section 15.5.22).
  if (status === 426 && upgrade !== undefined) fields.push('upgrade', upgrade, 'connection', 'upgrade')
  return fields
}

/**
 * The fields of an interim response to the client.
 *
 * @param raw of the upstream, names and values in turn
 * @returns names and values in turn
 */
export const interimFields = (
  status: number,
  raw: readonly string[],
  { route }: Pick<Decision, 'route'>,
): string[] => passedOf(status, raw, route).fields

import type { Identity } from '../../../shared/auth/claims.ts'
import { completeMarkerKey, type Revocation, revocationKey } from '../../../shared/auth/revocation.ts'
import type { LimitAndRevocationStore } from '../../ports.ts'
import {
  rateLimitScript,
  readResults,
  scriptArgument,
  scriptKeys,
} from '../../rate-limit/rate-limit-script.ts'
import type { Command } from './redis.ts'
import type { Reply } from './resp.ts'

interface StoreOptions {
  ask: (commands: readonly Command[]) => Promise<Reply[]>
  keyPrefix: string
}

/**
 * Scopes checked for a bearer, in order: an ended session comes before stale claims.
 */
const scopes = ['session', 'user', 'role', 'plan'] as const satisfies Revocation['scope'][]

/**
 * Revocations and limits in one script, so in one round trip. KEYS: with a bearer, the completeness
 * key and one per scope; then those of the limits. ARGV: the number of scopes, the bearer's epochs,
 * and the argument of `rateLimitScript`. The reply begins with -1 if the revocations may be
 * incomplete, or with the number of the revoked scope; otherwise with 0 and the reply of
 * `rateLimitScript`.
 */
const askScript = `
local function take(KEYS, ARGV)${rateLimitScript}
end
local scopes = tonumber(ARGV[1])
if scopes > 0 and redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
for i = 1, scopes do
  local good = redis.call('GET', KEYS[1 + i])
  if good and tonumber(ARGV[1 + i]) < tonumber(good) then return {i} end
end
local keys, args = {}, {}
for i = scopes > 0 and scopes + 2 or 1, #KEYS do keys[#keys + 1] = KEYS[i] end
for i = scopes + 2, #ARGV do args[#args + 1] = ARGV[i] end
return {0, take(keys, args)}`

/** Reads revocations and consumes limits in Redis, in one call per request. */
export function createStore({ ask, keyPrefix }: StoreOptions): LimitAndRevocationStore {
  function bearerKeys({ sid, sub, role, plan }: Identity): string[] {
    const subjects = { session: sid, user: sub, role, plan }
    const keys = scopes.map((scope) => revocationKey(keyPrefix, { scope, subject: subjects[scope] }))
    return [completeMarkerKey(keyPrefix), ...keys]
  }

  return {
    async consumeUnlessRevoked(bearer, requests) {
      const keys = [...(bearer ? bearerKeys(bearer) : []), ...scriptKeys(keyPrefix, requests)]
      const epochs = bearer ? [0, bearer.epoch.user, bearer.epoch.role, bearer.epoch.plan] : []
      const [reply] = await ask([
        ['EVAL', askScript, keys.length, ...keys, epochs.length, ...epochs, scriptArgument(requests)],
      ])
      const [outcome = 0, line] = reply as [number?, string?]
      if (outcome === -1) return { kind: 'incomplete' }
      const revoked = scopes[outcome - 1]
      if (revoked) return { kind: 'revoked', scope: revoked }
      if (line === undefined) throw new Error('the answer of the store cannot be read')
      return { kind: 'consumed', results: readResults(requests, line) }
    },
  }
}

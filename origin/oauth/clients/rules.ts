import type { Scope } from '../../../shared/contract/oauth/scopes.ts'
import type { OAuthClient } from './queries.ts'
import { isScope, parseScopes } from './scopes.ts'

export type ClientOutcome =
  | { kind: 'authenticated'; client: OAuthClient; secret: 'current' | 'previous' }
  | { kind: 'rejected'; reason: 'unknown_client' | 'wrong_secret' | 'client_disabled' }

interface ClientFacts {
  client: OAuthClient | undefined
  /** Which secret of the client was presented; undefined for none of them. */
  secret: 'current' | 'previous' | undefined
}

/** The reason is for the audit row only: the caller cannot tell the three apart. */
export function evaluateClient({ client, secret }: ClientFacts): ClientOutcome {
  if (!client) return { kind: 'rejected', reason: 'unknown_client' }
  if (!secret) return { kind: 'rejected', reason: 'wrong_secret' }
  if (client.disabled) return { kind: 'rejected', reason: 'client_disabled' }
  return { kind: 'authenticated', client, secret }
}

export type ScopeOutcome =
  | { kind: 'granted'; scopes: Scope[] }
  | { kind: 'malformed' }
  | { kind: 'not_granted' }

/**
 * The scopes of a token: those requested, or all of the client where none is requested; never more
 * than those of the client.
 *
 * @param requested the raw `scope` parameter
 */
export function narrowScopes(granted: readonly string[], requested: string | undefined): ScopeOutcome {
  // A scope that was granted and later removed from the list is ignored.
  const has = granted.filter(isScope)
  if (requested === undefined)
    return has.length > 0 ? { kind: 'granted', scopes: has } : { kind: 'not_granted' }
  const names = parseScopes(requested)
  if (!names) return { kind: 'malformed' }
  if (!names.every((name) => has.some((scope) => scope === name))) return { kind: 'not_granted' }
  return { kind: 'granted', scopes: has.filter((scope) => names.includes(scope)) }
}

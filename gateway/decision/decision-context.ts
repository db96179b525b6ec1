import type { UserLimit } from '../../shared/contract/user-limits.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import type { RequestSpan } from '../../shared/http/tracing.ts'
import type { RequestHeaders } from '../http/request-headers.ts'
import type { CompiledRow } from '../policy/policy.ts'
import type { ApiKey } from '../tokens/api-keys.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'
import type { UrlCredential } from './signed-url.ts'

/** A request's head as a runtime has it. */
export interface RequestInfo {
  method: string
  /** Path and query. */
  target: string
  headers: RequestHeaders
  requestId: string
  /** Remote address of the socket. */
  peer: string | undefined
  /** Scheme of the socket. */
  scheme: 'http' | 'https'
  /** Scheme of the target, where the client sent the absolute form. */
  targetScheme?: 'http' | 'https' | undefined
  /** Trace headers of the gateway's own span, if one is recorded. */
  outgoingTrace?: RequestSpan['outgoingTrace'] | undefined
}

const none: Readonly<RawHeaders> = []

/**
 * The context of one decision: each step of `decide` fills in its part, and the result is an
 * `Admission`. A class, so that all contexts have one shape.
 */
export class DecisionContext {
  readonly request: RequestInfo
  /** The host that the client named, with its port. */
  host = ''
  /** The client's address. */
  address = ''
  /** The scheme that the client used: TLS may end at a proxy. */
  scheme: 'http' | 'https' = 'http'
  /** Whether the peer of the socket is a trusted proxy. */
  isProxied = false
  /** Path and query that go upstream: the form that was matched, or the rewrite of its row. */
  target = ''
  /** The row of the policy table. No step before `matchRow` reads it. */
  row!: CompiledRow
  /** null where the row is public, or optional and the request has no token. */
  caller: VerifiedToken | null = null
  /** The API key that the caller's token was exchanged for, where the request came with one. */
  apiKey: ApiKey | undefined = undefined
  /** Whether the key was exchanged again because its token was stale. */
  isKeyRenewed = false
  /** Of a signed URL, on a row that allows them. */
  urlCredential: UrlCredential | undefined = undefined
  /** Headers that the limits add to the response, names and values in turn. */
  limitHeaders: Readonly<RawHeaders> = none
  /** Told to the origin in a header, where the request is forwarded over its limits. */
  exceededLimits: OverLimit | undefined = undefined
  /** Called with the status of the response, where a limit depends on it. */
  onResponseStatus: ((status: number) => void) | undefined = undefined
  /** Called with the upstream's headers, where a limit takes its cost from them. */
  settleCosts: ((headers: Readonly<RawHeaders>) => void) | undefined = undefined
  /** Whether the attempt has not failed, whatever the status of its response. */
  isAttemptNotFailed = false
  /** The current limits of the caller, where the row passes them. */
  userLimits: readonly UserLimit[] | undefined = undefined
  /** Signed statement of the caller, for the upstream. */
  assertion = ''

  constructor(request: RequestInfo) {
    this.request = request
  }
}

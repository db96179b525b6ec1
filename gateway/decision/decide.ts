import type { Identity } from '../../shared/auth/claims.ts'
import { isWithoutFailure } from '../../shared/auth/failed-attempts.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import { isBodyUnwanted, tooLarge } from '../http/request-body.ts'
import { upstreamHeaders } from '../http/upstream-headers.ts'
import { hasPassed } from '../http/via.ts'
import type { KeyUseReporter } from '../origin-api/key-use-reporter.ts'
import type { RateLimitReporter } from '../origin-api/rate-limit-reporter.ts'
import type { UsageReporter } from '../origin-api/usage-reporter.ts'
import type { ThrowIfInsufficient } from '../policy/assurance.ts'
import type { Authorize } from '../policy/authorization.ts'
import type { Policy } from '../policy/policy.ts'
import { readTarget } from '../policy/request-target.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import { createOverLimitQueue } from '../rate-limit/over-limit.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import type { AssertionFor } from '../tokens/assertion-signer.ts'
import type { TokenVerifier } from '../tokens/token-verifier.ts'
import type { UrlTokenVerifier } from '../tokens/url-token-verifier.ts'
import { Admission } from './admission.ts'
import { createAuthenticate, hasCredential, presentsApiKey } from './authenticate.ts'
import { createConsumeLimits } from './consume-limits.ts'
import { DecisionContext, type RequestInfo } from './decision-context.ts'
import type { RequestLimits } from './request-limits.ts'
import type { RequireHost } from './served-hosts.ts'
import { splitUrlToken } from './signed-url.ts'
import { toProblem } from './to-problem.ts'
import type { ReadClientInfo } from './trusted-proxies.ts'
import type { Concurrency } from './upstream-concurrency.ts'

interface DecideOptions {
  requireHost: RequireHost
  /** Name of this deployment in the Via header. */
  viaName: string
  readClientInfo: ReadClientInfo
  policy: Policy
  tokens: TokenVerifier
  urlTokens: UrlTokenVerifier
  apiKeys: ApiKeys
  keyUses: Pick<KeyUseReporter, 'recordUse' | 'recordNetworkRefusal'>
  /**
   * Compares a token with later revocations. Undefined on Workers, where the call to Redis that
   * consumes the limits compares them too.
   *
   * @throws Problem with the rejection
   */
  throwIfRevoked: ((identity: Identity) => void) | undefined
  limits: RequestLimits
  limiter: Limiter
  recordRejection: RateLimitReporter['record']
  recordUsage: UsageReporter['record']
  authorize: Authorize
  throwIfInsufficient: ThrowIfInsufficient
  assertionFor: AssertionFor
  /** Base URLs by the names of the policy table. */
  upstreams: Readonly<Record<string, string>>
  concurrency: Concurrency
}

const maxTargetLength = 8192

/** Checks a request, or adds a field to its decision. Throws or rejects with the Problem. */
type Step = (decision: DecisionContext) => Awaitable<void>

/** A step of a decision, and its rejection if it has one. */
export interface ExplainedStep {
  /** Of the function. */
  name: string
  /** The context of the decision, which later steps change. */
  decision: DecisionContext
  problem: Problem | undefined
}

/** Decides about requests by their heads, the same on every runtime. */
export function createDecide(options: DecideOptions) {
  const { requireHost, viaName, readClientInfo, policy, upstreams, concurrency } = options
  const { throwIfRevoked, authorize, throwIfInsufficient, assertionFor, keyUses } = options
  const { authenticate, requireNetwork, recover } = createAuthenticate({
    ...options,
    recordNetworkRefusal: keyUses.recordNetworkRefusal,
  })
  const { consumeLimits, reportRateLimited } = createConsumeLimits(options)
  const enqueue = createOverLimitQueue()

  /**
   * The steps in running order, each with its rejections. Limits come before authorization, so that
   * attempts without a permission are counted too.
   */
  const steps: readonly Step[] = [
    requireServedHost, //    400 bad_request, 421 misdirected_request
    rejectLoop, //           508 loop_detected
    rejectUnwantedBody, //   400 body_not_allowed
    rejectLongTarget, //     414 target_too_long
    findClient, //           400 client_address_unknown, bad_request
    requireTls, //           421 misdirected_request
    matchRow, //             400 bad_request, 404 not_found, 405 method_not_allowed
    rejectUnacceptedKey, //  403 api_key_not_accepted
    authenticateCaller, //   401 token_missing, invalid_token, legacy_token, 429 rate_limited, 503 keys_unavailable, overloaded
    requireNetwork, //       403 network_not_allowed, 429 rate_limited
    rejectRevoked, //        401 session_ended, claims_stale, 503 revocations_unavailable
    rejectOversizedBody, //  413 body_too_large
    consumeLimits, //        429 rate_limited, 503 overloaded
    requireAuthorization, // 403 permission_required, level_required, feature_required
    requireAssurance, //     401 step_up_required
    signAssertion,
  ]
  const afterAuthentication = steps.indexOf(authenticateCaller) + 1

  function requireServedHost(decision: DecisionContext): void {
    decision.host = requireHost(decision.request.headers.host)
  }

  function rejectLoop({ request }: DecisionContext): void {
    const { via } = request.headers
    if (via !== undefined && hasPassed(via, viaName)) throw new Problem('loop_detected')
  }

  function rejectUnwantedBody({ request }: DecisionContext): void {
    if (isBodyUnwanted(request.method, request.headers)) throw new Problem('body_not_allowed')
  }

  function rejectLongTarget({ request }: DecisionContext): void {
    if (request.target.length > maxTargetLength) throw new Problem('target_too_long')
  }

  function findClient(decision: DecisionContext): void {
    const { address, scheme, isProxied } = readClientInfo(decision.request)
    decision.address = address
    decision.scheme = scheme
    decision.isProxied = isProxied
  }

  /**
   * An `https` resource is not served without TLS, unless a trusted proxy has ended it (RFC 9110,
   * section 7.4).
   */
  function requireTls({ request, scheme, isProxied }: DecisionContext): void {
    if (request.targetScheme === 'https' && scheme === 'http' && !isProxied)
      throw new Problem('misdirected_request')
  }

  function matchRow(decision: DecisionContext): void {
    const { path, query } = readTarget(decision.request.target)
    const row = policy.match(decision.request.method, path)
    decision.row = row
    decision.target = (row.toUpstreamPath === undefined ? path : row.toUpstreamPath(path)) + query
    if (row.signed_urls) takeUrlToken(decision, path, query)
  }

  function takeUrlToken(decision: DecisionContext, path: string, query: string): void {
    const split = splitUrlToken(path, query)
    decision.urlCredential = split.credential
    decision.target = decision.target.slice(0, decision.target.length - query.length) + split.query
  }

  function rejectUnacceptedKey({ row, request }: DecisionContext): void {
    if (row.who !== 'public' && !row.keys && presentsApiKey(request.headers))
      throw new Problem('api_key_not_accepted')
  }

  /**
   * A row with `who: optional` rejects a token that is not valid: its client would take a response
   * for anybody as one for its user.
   */
  function authenticateCaller(decision: DecisionContext): Awaitable<void> {
    const { row, request } = decision
    if (
      row.who === 'public' ||
      (row.who === 'optional' && !decision.urlCredential && !hasCredential(request.headers))
    )
      return
    if (row.whenSignedIn) decision.row = row.whenSignedIn
    const caller = authenticate(decision)
    if (!(caller instanceof Promise)) {
      decision.caller = caller
      return
    }
    return caller.then((verified) => {
      decision.caller = verified
    })
  }

  /**
   * Before the limits: a client whose token was revoked has made no failed attempt, and a stolen
   * token must not use up its owner's quota. On Workers `throwIfRevoked` is missing:
   * `consumeLimits` asks for revocations in its own call, and throws the same problems.
   */
  function rejectRevoked({ caller }: DecisionContext): void {
    if (caller) throwIfRevoked?.(caller.identity)
  }

  function rejectOversizedBody({ request, row }: DecisionContext): void {
    const { contentLength = 0 } = request.headers
    if (!(contentLength <= row.body_bytes)) throw tooLarge(row.body_bytes)
  }

  function requireAuthorization({ caller, row }: DecisionContext): void {
    if (caller) authorize(row, caller.identity)
  }

  /** After the authorization: no authentication helps a caller who lacks a permission. */
  function requireAssurance({ caller, row }: DecisionContext): void {
    if (caller) throwIfInsufficient(row, caller.identity)
  }

  /** Each upstream gets its own assertion: the JWT that names the caller to it. */
  function signAssertion(decision: DecisionContext): Awaitable<void> {
    const signed = assertionFor(decision.caller, decision.row.upstream)
    if (typeof signed === 'string') {
      decision.assertion = signed
      return
    }
    return signed.then((assertion) => {
      decision.assertion = assertion
    })
  }

  function run(decision: DecisionContext, from: number): Awaitable<Admission> {
    try {
      for (let index = from; index < steps.length; index++) {
        const pending = (steps[index] as Step)(decision)
        if (pending instanceof Promise) return resume(pending, decision, index + 1)
      }
      return admit(decision)
    } catch (error) {
      return reject(error, decision)
    }
  }

  function resume(pending: Promise<void>, decision: DecisionContext, next: number): Promise<Admission> {
    return pending.then(
      () => run(decision, next),
      (error) => reject(error, decision),
    )
  }

  function admit(decision: DecisionContext): Admission {
    const { request, address, scheme, host, row, exceededLimits, apiKey } = decision
    const { requestId, outgoingTrace } = request
    const baseUrl = upstreams[row.upstream]
    if (baseUrl === undefined) throw new Error(`no upstream ${row.upstream}`)
    if (apiKey) keyUses.recordUse(apiKey)
    return new Admission({
      decision,
      baseUrl,
      headers: upstreamHeaders(request.headers, decision, {
        address,
        requestId,
        scheme,
        host,
        viaName,
        outgoingTrace,
      }),
      overLimitSlot: exceededLimits && enqueue(address, exceededLimits),
      concurrency,
    })
  }

  function reject(error: unknown, decision: DecisionContext): Promise<Admission> {
    const recovered = recover(error, decision)
    if (recovered) return resume(recovered, decision, afterAuthentication)
    if (error instanceof Problem) error.route = decision.row
    reportRateLimited(error, decision)
    if (decision.onResponseStatus) {
      const { code, status } = toProblem(error)
      if (isWithoutFailure(code)) decision.isAttemptNotFailed = true
      decision.onResponseStatus(status)
    }
    throw error
  }

  return {
    /**
     * Synchronous where no step waits. Throws or rejects with the Problem of the rejection.
     */
    decide: (request: RequestInfo): Awaitable<Admission> => run(new DecisionContext(request), 0),

    /** Lists each step with its result. For tools: nothing is forwarded. */
    async explain(request: RequestInfo): Promise<ExplainedStep[]> {
      const decision = new DecisionContext(request)
      const explained: ExplainedStep[] = []
      for (const step of steps) {
        const problem = await problemOf(step, decision)
        explained.push({ name: step.name, decision, problem })
        if (problem) break
      }
      return explained
    },
  }
}

async function problemOf(step: Step, decision: DecisionContext): Promise<Problem | undefined> {
  try {
    await step(decision)
    return undefined
  } catch (error) {
    return toProblem(error)
  }
}

export type Decide = ReturnType<typeof createDecide>['decide']

import { Problem } from '../../shared/http/errors.ts'
import type { RequestSpan } from '../../shared/http/tracing.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import { isBodyUnwanted } from '../http/request-body.ts'
import type { RequestHeaders } from '../http/request-headers.ts'
import { upstreamHeaders } from '../http/upstream-headers.ts'
import { hasPassed } from '../http/via.ts'
import { createOverLimitQueue } from '../rate-limit/over-limit.ts'
import { Admission } from './admission.ts'
import type { Decide } from './decide.ts'
import type { RequireHost } from './served-hosts.ts'
import type { ReadClientSide } from './trusted-proxies.ts'
import type { Concurrency } from './upstream-concurrency.ts'

/** A request's head as a runtime has it. */
export interface RequestInfo {
  method: string
  /** Path and query. */
  target: string
  headers: RequestHeaders
  requestId: string
  /** The other end of the socket. */
  peer: string | undefined
  /** The scheme of the socket. */
  scheme: 'http' | 'https'
  /** That of the target, where the client sent the absolute form. */
  targetScheme?: 'http' | 'https' | undefined
  /** The span that the request upstream belongs to, where one of ours is recorded. */
  onward?: RequestSpan['onward'] | undefined
}

interface AdmissionOptions {
  decide: Decide
  concurrency: Concurrency
  /** Base URLs by the names of the policy table. */
  upstreams: Readonly<Record<string, string>>
  readClientSide: ReadClientSide
  requireHost: RequireHost
  /** This deployment's name in the Via header. */
  viaName: string
}

const longestTarget = 8192

/**
 * Admits a request on every runtime: the checks before its decision, the decision, and what goes
 * upstream.
 */
export function createAdmission({
  decide,
  concurrency,
  upstreams,
  readClientSide,
  requireHost,
  viaName,
}: AdmissionOptions) {
  const enqueue = createOverLimitQueue()

  /** @throws Problem with the rejection, at once or later */
  return function admit(request: RequestInfo): Awaitable<Admission> {
    const { method, target, headers, requestId, onward } = request
    const host = requireHost(headers.host)
    if (headers.via !== undefined && hasPassed(headers.via, viaName)) throw new Problem('loop_detected')
    if (isBodyUnwanted(method, headers)) throw new Problem('body_not_allowed')
    if (target.length > longestTarget) throw new Problem('target_too_long')
    const { address, scheme, isProxied } = readClientSide(request)
    // An `https` resource is not served without TLS, unless a trusted proxy has ended it (RFC 9110,
    // section 7.4).
    if (request.targetScheme === 'https' && scheme === 'http' && !isProxied)
      throw new Problem('misdirected_request')
    return chain(decide({ method, target, headers, address }), (decision) => {
      const origin = upstreams[decision.route.upstream]
      if (origin === undefined) throw new Error(`no upstream ${decision.route.upstream}`)
      const { overLimit } = decision
      return new Admission({
        decision,
        origin,
        headers: upstreamHeaders(headers, decision, { address, requestId, scheme, host, viaName, onward }),
        overLimit: overLimit && enqueue(address, overLimit),
        concurrency,
      })
    })
  }
}

export type Admit = ReturnType<typeof createAdmission>

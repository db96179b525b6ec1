import { Problem } from '../shared/errors.ts'
import type { AssertionFor } from './assertions.ts'
import { addressKey } from './client-address.ts'
import type { RequireRights } from './guards.ts'
import { type Limit, type Limiter, RateLimited } from './limits.ts'
import type { Policy, Route } from './policy.ts'
import type { RefusalLog } from './refusal-log.ts'
import { tooLarge } from './request-body.ts'
import type { Revocations } from './revocations.ts'
import { readTarget } from './target.ts'
import type { TokenVerifier, VerifiedToken } from './tokens.ts'

/** All that a decision looks at: a request's head, never its body. */
export interface RequestHead {
  method: string
  /** Path and query as the runtime has them: Node's and the edge's have resolved dot segments by then. */
  target: string
  /** All values of a header joined by commas, or null. */
  header(name: string): string | null
  /** The client's address. */
  address: string
}

export interface Decision {
  route: Route
  target: string
  caller: VerifiedToken | null
  /** What the upstream will believe. */
  assertion: string
  /** Fields that the limits add to the answer. */
  limitFields: Record<string, string>
}

interface DecideOptions {
  policy: Policy
  tokens: TokenVerifier
  revocations: Pick<Revocations, 'isLoaded' | 'judge'>
  limiter: Limiter
  noteRefusal: RefusalLog['note']
  requireRights: RequireRights
  assertionFor: AssertionFor
  addressQuota: number
  addressWindowSeconds: number
}

/** The unit of the quota in the token. */
const quotaWindowSeconds = 3600

/** RFC 6750, section 2.1; the scheme's name is case-insensitive. */
const bearer = /^bearer +([^ ,]+)$/i

/**
 * Decides what becomes of a request: path, row, caller, limits, rights, size. Limits come before rights, so that trying doors is
 * counted too.
 */
export function createDecide(options: DecideOptions) {
  const { policy, tokens, revocations, limiter, noteRefusal, requireRights, assertionFor } = options

  const addressLimit = (address: string): Limit => ({
    name: 'address',
    key: addressKey(address),
    quota: options.addressQuota,
    windowSeconds: options.addressWindowSeconds,
  })

  /** The quota comes from the token: there is no second place to configure. */
  const userLimit = ({ identity }: VerifiedToken): Limit => ({
    name: 'user',
    key: identity.sub,
    quota: identity.quota,
    windowSeconds: quotaWindowSeconds,
  })

  function credential(authorization: string | null): string {
    if (authorization === null) throw new Problem('token_missing')
    const token = bearer.exec(authorization)?.[1]
    if (!token) throw new Problem('invalid_token', { cause: 'not one Bearer credential' })
    return token
  }

  /**
   * Who is calling. A failed try counts against the address, and an address over its limit is not worth a signature check; who was
   * verified before does not suffer for what others do from there.
   */
  async function authenticate(head: RequestHead): Promise<VerifiedToken> {
    const limit = addressLimit(head.address)
    try {
      const token = credential(head.header('authorization'))
      const known = tokens.known(token)
      if (known) return known
      limiter.refuseKnown(limit)
      return await tokens.verify(token)
    } catch (error) {
      if (error instanceof Problem && error.status === 401) await limiter.count([limit])
      throw error
    }
  }

  /**
   * Holds a verified token against what was revoked since, at every request and before anything is counted: whoever comes with one is
   * a client that has not heard yet, so it counts as no failed try of the address; and a stolen one must not use up its owner's quota.
   */
  function refuseRevoked({ identity }: VerifiedToken): void {
    if (!revocations.isLoaded()) throw new Problem('revocations_unavailable')
    const verdict = revocations.judge(identity)
    if (verdict !== 'good') throw new Problem(verdict)
  }

  async function admit(head: RequestHead, route: Route, target: string): Promise<Decision> {
    const caller = route.who === 'user' ? await authenticate(head) : null
    if (caller) refuseRevoked(caller)
    const limitFields = await limiter.count(
      route.limits.map((name) =>
        name === 'user' && caller ? userLimit(caller) : addressLimit(head.address),
      ),
    )
    if (caller) requireRights(route, caller.identity)
    const length = Number(head.header('content-length') ?? 0)
    if (!(length <= route.body_bytes)) throw tooLarge(route.body_bytes)
    return {
      route,
      target,
      caller,
      limitFields,
      assertion: await assertionFor(caller, route.upstream),
    }
  }

  /** @throws Problem with the refusal */
  return async function decide(head: RequestHead): Promise<Decision> {
    const { path, query } = readTarget(head.target)
    const route = policy.match(head.method, path)
    try {
      return await admit(head, route, path + query)
    } catch (error) {
      if (error instanceof RateLimited)
        noteRefusal({ limits: error.over, method: head.method, route: route.path })
      throw error
    }
  }
}

export type Decide = ReturnType<typeof createDecide>

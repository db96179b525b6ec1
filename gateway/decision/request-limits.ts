import { addressKey } from '../../shared/http/address-key.ts'
import type { GatewayConfig } from '../config.ts'
import type { Route } from '../policy/policy.ts'
import { type LimitClass, limitClassDefinitions } from '../rate-limit/limit-classes.ts'
import type { Limit } from '../rate-limit/limiter.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'

type LimitVariables = Extract<keyof GatewayConfig, `LIMIT_${string}`>

/** Window of the user's quota, which is in the token. */
const userSeconds = 3600

/** A limit without what it counts for. */
type Bounds = Omit<Limit, 'countedFor'>

/** The limits of a request: those of its row, each with its quota and its user or address. */
export function createRequestLimits(config: Pick<GatewayConfig, LimitVariables>) {
  function boundsOf(name: LimitClass, quota: number, windowSeconds: number): Bounds {
    const { counts, outage } = limitClassDefinitions[name]
    return { name, quota, windowSeconds, outage, failuresOnly: counts === 'failures' }
  }
  const failures = (name: LimitClass) => boundsOf(name, config.LIMIT_FAILURES, config.LIMIT_FAILURES_SECONDS)
  const address = boundsOf('address', config.LIMIT_ADDRESS_REQUESTS, config.LIMIT_ADDRESS_SECONDS)
  /** Limits of public rows, where only the address is known. */
  const ofAddress: Record<Exclude<LimitClass, 'user' | 'account'>, Bounds> = {
    address,
    mail: boundsOf('mail', config.LIMIT_MAIL_REQUESTS, config.LIMIT_MAIL_SECONDS),
    credentials: failures('credentials'),
    links: failures('links'),
    clients: failures('clients'),
    refresh: failures('refresh'),
  }
  /** The quota comes from the token, and has no second configuration. */
  const user = boundsOf('user', 0, userSeconds)
  const account = boundsOf('account', config.LIMIT_ACCOUNT_REQUESTS, config.LIMIT_ACCOUNT_SECONDS)
  /**
   * Counts one user at one address, apart from others at the address and from thieves elsewhere.
   */
  const credentials = boundsOf(
    'credentials',
    config.LIMIT_CREDENTIALS_TRIES,
    config.LIMIT_CREDENTIALS_SECONDS,
  )

  function limitOf(name: LimitClass, address: string, route: Route, caller: VerifiedToken | null): Limit {
    if (caller) {
      const { sub, quota } = caller.identity
      if (name === 'user') return toLimit(user, sub, quota)
      if (name === 'account') return toLimit(account, sub)
      if (name === 'credentials') return toLimit(credentials, `${addressKey(address)} ${sub}`)
    }
    if (name === 'user' || name === 'account') throw new Error(`the limit ${name} is for users`)
    const bounds = ofAddress[name]
    const failuresOnly = bounds.failuresOnly || (name === 'address' && route.counts === 'failures')
    return toLimit(bounds, addressKey(address), bounds.quota, failuresOnly)
  }

  return {
    /** The limit of missing and invalid tokens. */
    ofInvalidTokens: (from: string): Limit => toLimit(address, addressKey(from)),

    of: (address: string, route: Route, caller: VerifiedToken | null): Limit[] =>
      route.limits.map((name) => limitOf(name, address, route, caller)),
  }
}

/** All limits have one shape, which V8 reads fastest. */
const toLimit = (
  { name, windowSeconds, outage, quota: defaultQuota, failuresOnly: onlyFailures }: Bounds,
  countedFor: string,
  quota = defaultQuota,
  failuresOnly = onlyFailures,
): Limit => ({ name, countedFor, quota, windowSeconds, outage, failuresOnly })

export type RequestLimits = ReturnType<typeof createRequestLimits>

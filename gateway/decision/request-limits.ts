import { addressKey } from '../../shared/http/address-key.ts'
import type { GatewayConfig } from '../config.ts'
import type { Route } from '../policy/policy.ts'
import { createLimit, type Limit, type LimitClass, limits } from '../rate-limit/limiter.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'

type LimitVariables = Extract<keyof GatewayConfig, `LIMIT_${string}`>

/** The quota of a user is in the token, for this long. */
const userSeconds = 3600

/** How often and in how many seconds. */
interface Quota {
  quota: number
  windowSeconds: number
}

/** Says which limits count a request: those of its row, each with its quota and its caller. */
export function createRequestLimits(config: Pick<GatewayConfig, LimitVariables>) {
  const failures = { quota: config.LIMIT_FAILURES, windowSeconds: config.LIMIT_FAILURES_SECONDS }
  /** Of public rows, where nobody but the address is known. */
  const ofAddress: Record<Exclude<LimitClass, 'user' | 'account'>, Quota> = {
    address: { quota: config.LIMIT_ADDRESS_REQUESTS, windowSeconds: config.LIMIT_ADDRESS_SECONDS },
    mail: { quota: config.LIMIT_MAIL_REQUESTS, windowSeconds: config.LIMIT_MAIL_SECONDS },
    credentials: failures,
    links: failures,
    clients: failures,
    refresh: failures,
  }
  const account = { quota: config.LIMIT_ACCOUNT_REQUESTS, windowSeconds: config.LIMIT_ACCOUNT_SECONDS }
  /** Of one address at one account. */
  const credentials = {
    quota: config.LIMIT_CREDENTIALS_TRIES,
    windowSeconds: config.LIMIT_CREDENTIALS_SECONDS,
  }

  function create(name: LimitClass, caller: string, { quota, windowSeconds }: Quota, failuresOnly: boolean) {
    return createLimit({ name, caller, quota, windowSeconds, failuresOnly })
  }

  function limitOf(name: LimitClass, address: string, route: Route, caller: VerifiedToken | null): Limit {
    if (caller) {
      const { sub, quota } = caller.identity
      // The quota comes from the token: there is no second place to configure.
      if (name === 'user') return create(name, sub, { quota, windowSeconds: userSeconds }, false)
      if (name === 'account') return create(name, sub, account, false)
      // Who is signed in has a count apart from others at the address, and from thieves elsewhere.
      if (name === 'credentials') return create(name, `${addressKey(address)} ${sub}`, credentials, true)
    }
    if (name === 'user' || name === 'account') throw new Error(`the limit ${name} is for users`)
    const failuresOnly =
      limits[name].counts === 'failures' || (name === 'address' && route.counts === 'failures')
    return create(name, addressKey(address), ofAddress[name], failuresOnly)
  }

  return {
    /** What missing and false tokens count against. */
    ofFalseTokens: (address: string): Limit =>
      create('address', addressKey(address), ofAddress.address, false),

    of: (address: string, route: Route, caller: VerifiedToken | null): Limit[] =>
      route.limits.map((name) => limitOf(name, address, route, caller)),
  }
}

export type RequestLimits = ReturnType<typeof createRequestLimits>

import { addressKey } from '../../shared/http/address-key.ts'
import type { GatewayConfig } from '../config.ts'
import type { CompiledRow } from '../policy/policy.ts'
import { type LimitClass, limitClassDefinitions } from '../rate-limit/limit-classes.ts'
import type { Limit } from '../rate-limit/limiter.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'

type LimitVariables = Extract<keyof GatewayConfig, `LIMIT_${string}`>

/** Window of the user's quota, which is in the token. */
const userSeconds = 3600

/** A limit without the user or address that it counts. */
type LimitTemplate = Omit<Limit, 'subject'>

/** The limits of a request: those of its row, each with its quota and its user or address. */
export function createRequestLimits(config: Pick<GatewayConfig, LimitVariables>) {
  function templateOf(name: LimitClass, quota: number, windowSeconds: number): LimitTemplate {
    const { counts, withoutStore } = limitClassDefinitions[name]
    return { name, quota, windowSeconds, withoutStore, failuresOnly: counts === 'failures' }
  }
  const failures = (name: LimitClass) =>
    templateOf(name, config.LIMIT_FAILURES, config.LIMIT_FAILURES_SECONDS)
  const address = templateOf('address', config.LIMIT_ADDRESS_REQUESTS, config.LIMIT_ADDRESS_SECONDS)
  /** Limits of public rows, where only the address is known. */
  const byAddress: Record<Exclude<LimitClass, 'user' | 'account'>, LimitTemplate> = {
    address,
    mail: templateOf('mail', config.LIMIT_MAIL_REQUESTS, config.LIMIT_MAIL_SECONDS),
    credentials: failures('credentials'),
    links: failures('links'),
    clients: failures('clients'),
    refresh: failures('refresh'),
    exchange: failures('exchange'),
  }
  /** The quota of the plan comes from the token: no variable sets it. */
  const user = templateOf('user', 0, userSeconds)
  const account = templateOf('account', config.LIMIT_ACCOUNT_REQUESTS, config.LIMIT_ACCOUNT_SECONDS)
  /**
   * One count for each user at each address, so that neither other users of the address nor an
   * attacker at another address use it up.
   */
  const credentials = templateOf(
    'credentials',
    config.LIMIT_CREDENTIALS_TRIES,
    config.LIMIT_CREDENTIALS_SECONDS,
  )

  function limitOf(name: LimitClass, address: string, row: CompiledRow, caller: VerifiedToken | null): Limit {
    if (caller) {
      const { sub, quota } = caller.identity
      if (name === 'user') return toLimit(user, sub, quota)
      if (name === 'account') return toLimit(account, sub)
      if (name === 'credentials') return toLimit(credentials, `${addressKey(address)} ${sub}`)
    }
    if (name === 'user' || name === 'account') throw new Error(`the limit ${name} is for users`)
    const template = byAddress[name]
    const failuresOnly = template.failuresOnly || (name === 'address' && row.counts === 'failures')
    return toLimit(template, addressKey(address), template.quota, failuresOnly)
  }

  return {
    /** The limit of missing and invalid tokens. */
    forInvalidTokens: (from: string): Limit => toLimit(address, addressKey(from)),

    forRequest: (address: string, row: CompiledRow, caller: VerifiedToken | null): Limit[] =>
      row.limits.map((name) => limitOf(name, address, row, caller)),
  }
}

/** All limits have one shape, which V8 reads fastest. */
const toLimit = (
  { name, windowSeconds, withoutStore, quota: defaultQuota, failuresOnly: onlyFailures }: LimitTemplate,
  subject: string,
  quota = defaultQuota,
  failuresOnly = onlyFailures,
): Limit => ({ name, subject, quota, windowSeconds, withoutStore, failuresOnly })

export type RequestLimits = ReturnType<typeof createRequestLimits>

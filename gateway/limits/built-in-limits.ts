import type { GatewayConfig } from '../config.ts'
import { type LimitClass, type LimitKey, limitClassDefinitions } from './limit-classes.ts'
import { type CompiledLimit, compileLimit } from './limit-definition.ts'

export type LimitVariables = Extract<keyof GatewayConfig, `LIMIT_${string}`>

/** The built-in limits, in the form that those of a policy file have. */
export interface BuiltInLimits {
  byClass: Record<LimitClass, CompiledLimit>
  /** `address` on a row that counts failures alone. */
  failuresOfAddress: CompiledLimit
  /** `credentials` on a row for users. */
  credentialsOfUser: CompiledLimit
}

interface Window {
  quota: number | 'plan'
  seconds: number
}

/** Window of the quota of a plan. */
const planSeconds = 3600

export function compileBuiltInLimits(config: Pick<GatewayConfig, LimitVariables>): BuiltInLimits {
  function limit(name: LimitClass, key: LimitKey, window: Window, more = { failuresOnly: false }) {
    const { counts, withoutStore } = limitClassDefinitions[name]
    return compileLimit({
      name,
      key,
      windows: [{ ...window, per: `${window.seconds}s`, calendar: undefined }],
      windowsByPlan: new Map(),
      isSliding: false,
      failuresOnly: more.failuresOnly || counts === 'failures',
      withoutStore,
      isReportOnly: false,
      costHeader: undefined,
      countsUsage: name === 'user',
    })
  }
  const addressWindow = { quota: config.LIMIT_ADDRESS_REQUESTS, seconds: config.LIMIT_ADDRESS_SECONDS }
  const failures = { quota: config.LIMIT_FAILURES, seconds: config.LIMIT_FAILURES_SECONDS }
  const tries = { quota: config.LIMIT_CREDENTIALS_TRIES, seconds: config.LIMIT_CREDENTIALS_SECONDS }
  return {
    byClass: {
      address: limit('address', 'address', addressWindow),
      mail: limit('mail', 'address', {
        quota: config.LIMIT_MAIL_REQUESTS,
        seconds: config.LIMIT_MAIL_SECONDS,
      }),
      user: limit('user', 'user', { quota: 'plan', seconds: planSeconds }),
      account: limit('account', 'user', {
        quota: config.LIMIT_ACCOUNT_REQUESTS,
        seconds: config.LIMIT_ACCOUNT_SECONDS,
      }),
      credentials: limit('credentials', 'address', failures),
      links: limit('links', 'address', failures),
      clients: limit('clients', 'address', failures),
      refresh: limit('refresh', 'address', failures),
      exchange: limit('exchange', 'address', failures),
    },
    failuresOfAddress: limit('address', 'address', addressWindow, { failuresOnly: true }),
    credentialsOfUser: limit('credentials', 'address_and_user', tries),
  }
}

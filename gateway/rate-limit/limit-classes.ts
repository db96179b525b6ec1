import type { ConsumeRequest } from '../ports.ts'

/**
 * Limit classes: what each counts, and its rule during an outage of the shared store. Each class
 * has its own count, so that one kind of request never uses up the quota of another.
 */
export const limitClassDefinitions = {
  /** Requests of one address without a user, and rejected access tokens. */
  address: { counts: 'requests', outage: 'share' },
  /**
   * Requests of one address that send mail: registration, forgotten password, verification link.
   */
  mail: { counts: 'requests', outage: 'share' },
  /** Requests of one user, by the quota of the plan. */
  user: { counts: 'requests', outage: 'share' },
  /**
   * Requests of one user that manage sessions, the account or other accounts, whatever the plan.
   */
  account: { counts: 'requests', outage: 'share' },
  /** Wrong passwords. */
  credentials: { counts: 'failures', outage: 'strict' },
  /** Wrong email tokens. */
  links: { counts: 'failures', outage: 'strict' },
  /** Wrong client secrets, and wrong tokens from OAuth clients. */
  clients: { counts: 'failures', outage: 'strict' },
  /** Wrong refresh tokens. */
  refresh: { counts: 'failures', outage: 'strict' },
} as const satisfies Record<string, { counts: 'requests' | 'failures'; outage: ConsumeRequest['outage'] }>

export type LimitClass = keyof typeof limitClassDefinitions
export const limitClasses = Object.keys(limitClassDefinitions) as [LimitClass, ...LimitClass[]]

/**
 * For a request whose address is over a limit of failures: the gateway refuses it, or forwards
 * it with a mark and the origin serves genuine credentials. The last forwards requests with a
 * device cookie only.
 */
export const overLimitRules = ['refuse', 'forward', 'forward_known_device'] as const
export type OverLimitRule = (typeof overLimitRules)[number]

import type { ConsumeRequest } from '../ports.ts'

/**
 * Limit classes: what each counts, and its rule during an outage of the shared store. Each class
 * has its own count, so that one kind of request never uses up the quota of another.
 */
export const limitClassDefinitions = {
  /** Requests of one address to public rows; missing and invalid tokens, not expired ones. */
  address: { counts: 'requests', withoutStore: 'share' },
  /**
   * Requests of one address that send mail: registration, forgotten password, verification link.
   */
  mail: { counts: 'requests', withoutStore: 'share' },
  /** Requests of one user, by the quota of the plan. */
  user: { counts: 'requests', withoutStore: 'share' },
  /**
   * Requests of one user that manage sessions, the account or other accounts, whatever the plan.
   */
  account: { counts: 'requests', withoutStore: 'share' },
  /** Wrong passwords. */
  credentials: { counts: 'failures', withoutStore: 'half_share' },
  /** Wrong tokens of mailed links. The name is in headers and metrics. */
  links: { counts: 'failures', withoutStore: 'half_share' },
  /** Wrong secrets of OAuth clients, and wrong tokens that they send. The name is in headers. */
  clients: { counts: 'failures', withoutStore: 'half_share' },
  /** Wrong refresh tokens. */
  refresh: { counts: 'failures', withoutStore: 'half_share' },
  /** Tokens of former systems that were not exchanged. */
  exchange: { counts: 'failures', withoutStore: 'half_share' },
} as const satisfies Record<
  string,
  { counts: 'requests' | 'failures'; withoutStore: ConsumeRequest['withoutStore'] }
>

export type LimitClass = keyof typeof limitClassDefinitions
export const limitClasses = Object.keys(limitClassDefinitions) as [LimitClass, ...LimitClass[]]

/**
 * For a request whose address is over a limit of failures. `refuse`: the gateway rejects it.
 * `forward`: the gateway forwards it with a header, and the origin serves it if its credentials are
 * genuine. `forward_known_device`: the same, for requests with a device cookie only.
 */
export const overLimitRules = ['refuse', 'forward', 'forward_known_device'] as const
export type OverLimitRule = (typeof overLimitRules)[number]

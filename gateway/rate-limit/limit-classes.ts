import type { ConsumeRequest } from '../ports.ts'

/**
 * The classes of limit: what each counts, and what holds while the shared store is away. Each has a
 * count of its own, so that one kind of request never uses up the quota of another.
 */
export const limitClassDefinitions = {
  /** Requests of one address that nobody has signed in for, and tokens that were refused. */
  address: { counts: 'requests', outage: 'share' },
  /**
   * Requests of one address that have a mail sent: registrations, forgotten passwords, verification
   * links.
   */
  mail: { counts: 'requests', outage: 'share' },
  /** Requests of one user, by the quota of the plan. */
  user: { counts: 'requests', outage: 'share' },
  /**
   * Requests of one user that manage sessions, the account or other accounts, whatever the plan.
   */
  account: { counts: 'requests', outage: 'share' },
  /** Passwords that were wrong. */
  credentials: { counts: 'failures', outage: 'strict' },
  /** Mailed links that were wrong. */
  links: { counts: 'failures', outage: 'strict' },
  /** Client secrets that were wrong, and what OAuth clients brought. */
  clients: { counts: 'failures', outage: 'strict' },
  /** Refresh tokens that were wrong. */
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

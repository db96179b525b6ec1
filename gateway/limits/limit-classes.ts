import type { ConsumeRequest } from '../ports.ts'

/**
 * The key of a limit: requests with the same key are counted together. `api_key` is the key that a
 * request came with, `claim:...` the value of a claim of the access token. `address_and_user` is
 * one user at one address: neither other users of the address nor an attacker at another address
 * use it up.
 */
export type LimitKey = 'user' | 'address' | 'address_and_user' | 'api_key' | `claim:${KeyClaim}`

/** Claims that a limit may count by. */
export const keyClaims = ['sid', 'role', 'plan'] as const
export type KeyClaim = (typeof keyClaims)[number]

interface LimitClassDefinition {
  counts: 'requests' | 'failures'
  withoutStore: ConsumeRequest['withoutStore']
}

/**
 * The limits of the product's own rows: what each counts, and its rule during an outage of the
 * shared store. Each has its own count, so that one kind of request never uses up the quota of
 * another. `built-in-limits.ts` adds their keys and windows.
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
} as const satisfies Record<string, LimitClassDefinition>

export type LimitClass = keyof typeof limitClassDefinitions
export const limitClasses = Object.keys(limitClassDefinitions) as [LimitClass, ...LimitClass[]]

export const isLimitClass = (name: string): name is LimitClass => Object.hasOwn(limitClassDefinitions, name)

/**
 * For a request whose address is over a limit of failures. `refuse`: the gateway rejects it.
 * `forward`: the gateway forwards it with a header, and the origin serves it if its credentials are
 * genuine. `forward_known_device`: the same, for requests with a device cookie only.
 */
export const overLimitRules = ['refuse', 'forward', 'forward_known_device'] as const
export type OverLimitRule = (typeof overLimitRules)[number]

import type { ConsumeRequest } from '../ports.ts'

/** A limit of one request, with the name and the `subject` that its key is made of. */
export interface KeyedLimit extends Omit<ConsumeRequest, 'key' | 'tokens' | 'grantedBy'> {
  name: string
  /** A user's id, an address, or the /64 of an IPv6 address. */
  subject: string
}

export const isSameLimit = (one: KeyedLimit, other: KeyedLimit): boolean =>
  one.subject === other.subject &&
  one.name === other.name &&
  one.quota === other.quota &&
  one.windowSeconds === other.windowSeconds

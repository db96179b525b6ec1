import type { ConsumeRequest } from '../ports.ts'

/** One limit of one request, for one token. The name and `countedFor` make its key. */
export interface KeyedLimit extends Omit<ConsumeRequest, 'key' | 'tokens' | 'shared'> {
  name: string
  /** A user's id, an address, or the /64 of one. */
  countedFor: string
}

export const isSameLimit = (one: KeyedLimit, other: KeyedLimit): boolean =>
  one.countedFor === other.countedFor &&
  one.name === other.name &&
  one.quota === other.quota &&
  one.windowSeconds === other.windowSeconds

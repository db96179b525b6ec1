import type { ConsumeRequest } from '../ports.ts'

/** One limit of one request, for one token. The name and the caller make its key. */
export interface LimitRequest extends Omit<ConsumeRequest, 'key' | 'tokens' | 'shared'> {
  name: string
  /** A user's id, an address, or the /64 of one. */
  caller: string
}

export const isSame = (one: LimitRequest, other: LimitRequest): boolean =>
  one.caller === other.caller &&
  one.name === other.name &&
  one.quota === other.quota &&
  one.windowSeconds === other.windowSeconds

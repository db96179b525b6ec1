import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { ConsumeRequest, ConsumeResult, Now, RateLimitStore } from '../ports.ts'
import { grantedTokens } from './fallback-store.ts'

interface MemoryStoreOptions {
  /** True where this process is the only gateway, so that its count is the total. */
  shared: boolean
  now: Now
  /** About 100 bytes each; the map holds up to twice this (see bounded-map.ts). */
  maxWindows?: number
}

interface Window {
  used: number
  endsAt: EpochMs
}

/**
 * Fixed windows in the memory of one gateway. Memory is bounded: with more keys than fit, the least
 * recently used windows are dropped, so a client with a million addresses starts anew.
 */
export function createMemoryStore({ shared, now, maxWindows = 100_000 }: MemoryStoreOptions): RateLimitStore {
  const windows = createBoundedMap<string, Window>(maxWindows)

  function consumeOne(request: ConsumeRequest): ConsumeResult {
    const { key, windowSeconds, quota } = request
    const id = `${windowSeconds}:${key}`
    const at = now()
    const known = windows.get(id)
    const window = known && known.endsAt > at ? known : { used: 0, endsAt: at + windowSeconds * 1000 }
    const granted = grantedTokens(request, window.used)
    window.used += granted
    if (window !== known && granted > 0) windows.set(id, window)
    return { granted, used: window.used, quota, resetMs: window.endsAt - at, shared }
  }

  return { consume: async (requests) => requests.map(consumeOne) }
}

import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { ConsumeRequest, ConsumeResult, Now, RateLimitStore } from '../ports.ts'
import { scriptKeys } from './rate-limit-script.ts'
import { consumeFixed, consumeSliding, type WindowState } from './window-state.ts'

interface MemoryStoreOptions {
  /** True where this process is the only gateway, so that its count is the total. */
  shared: boolean
  now: Now
  /** About 100 bytes each; the map holds up to twice this (see bounded-map.ts). */
  maxWindows?: number
}

/**
 * Windows in the memory of one gateway, with the rules of the script for Redis. Memory is bounded:
 * with more keys than fit, the least recently used windows are dropped, so a client with a million
 * addresses starts anew.
 */
export function createMemoryStore({ shared, now, maxWindows = 100_000 }: MemoryStoreOptions): RateLimitStore {
  const windows = createBoundedMap<string, WindowState>(maxWindows)

  function consumeOne(request: ConsumeRequest): ConsumeResult {
    const [id = ''] = scriptKeys('', [request])
    const consume = request.isSliding ? consumeSliding : consumeFixed
    const { state, used, granted, resetMs, bucketMs } = consume(windows.get(id), request, now())
    if (granted !== 0) windows.set(id, state)
    return { granted, used: used + granted, quota: request.quota, resetMs, bucketMs, shared }
  }

  return { consume: async (requests) => requests.map(consumeOne) }
}

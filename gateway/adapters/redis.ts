import type { Redis } from 'ioredis'
import type { Counter, Taken } from '../ports.ts'

/**
 * For each key its window's permits: as many as are wanted and left. ARGV has quota, permits and milliseconds for each key; the answer granted,
 * used and milliseconds left.
 */
export const takeScript = `
local answers = {}
for i, key in ipairs(KEYS) do
  local quota, permits, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local used = tonumber(redis.call('GET', key) or 0)
  local granted = permits < 0 and math.max(permits, -used) or math.min(permits, math.max(0, quota - used))
  local left = window
  if used > 0 then left = redis.call('PTTL', key) end
  if granted ~= 0 then
    if used > 0 then redis.call('INCRBY', key, granted) else redis.call('SET', key, granted, 'PX', window) end
  end
  answers[3 * i - 2], answers[3 * i - 1], answers[3 * i] = granted, used + granted, left
end
return answers`

type Scripted = Redis & { takePermits(keyCount: number, ...args: (string | number)[]): Promise<number[]> }

/** Fixed windows in Redis, all that is wanted at once in one script call. A window ends with its key. */
export function createRedisCounter(redis: Redis, keyPrefix: string): Counter {
  redis.defineCommand('takePermits', { lua: takeScript })
  const scripted = redis as Scripted

  return {
    async take(takes) {
      const keys = takes.map(({ key, windowSeconds }) => `${keyPrefix}${windowSeconds}:${key}`)
      const wants = takes.flatMap(({ quota, permits, windowSeconds }) => [
        quota,
        permits,
        windowSeconds * 1000,
      ])
      if (redis.status !== 'ready') throw new Error(`redis is ${redis.status}`)
      const answers = await scripted.takePermits(keys.length, ...keys, ...wants)
      return takes.map(
        ({ quota }, i): Taken => ({
          granted: answers[3 * i] as number,
          used: answers[3 * i + 1] as number,
          quota,
          resetMs: answers[3 * i + 2] as number,
          shared: true,
        }),
      )
    },
  }
}

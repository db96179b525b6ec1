import type { Redis } from 'ioredis'
import type { Counter } from '../ports.ts'
import { readTaken, takeArgument, takeKeys, takeScript } from '../rate-limit/rate-limit-script.ts'

type Scripted = Redis & { takePermits(keyCount: number, ...args: (string | number)[]): Promise<string> }

/**
 * Fixed windows in Redis, all that is wanted at once in one script call. A window ends with its
 * key.
 */
export function createRedisCounter(redis: Redis, keyPrefix: string): Counter {
  redis.defineCommand('takePermits', { lua: takeScript })
  const scripted = redis as Scripted

  return {
    async take(takes) {
      if (redis.status !== 'ready') throw new Error(`redis is ${redis.status}`)
      const keys = takeKeys(keyPrefix, takes)
      return readTaken(takes, await scripted.takePermits(keys.length, ...keys, takeArgument(takes)))
    },
  }
}

import type { ChainableCommander } from 'ioredis'
import {
  completeMarkerKey,
  endedEpoch,
  type Revocation,
  revocationKey,
} from '../../shared/auth/revocation.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import type { RedisClient } from '../../shared/node/redis.ts'
import type { Sql } from '../db/types.ts'
import { selectRevocations } from './queries.ts'
import { execute } from './redis-pipeline.ts'

interface CompleteMarkerOptions {
  sql: Sql
  redis: RedisClient
  keyPrefix: string
  lifeSeconds: number
}

/**
 * How long the keys count as complete after a renewal. With the interval of the relay it stays
 * within the 5 s that hold where the origin cannot write to a Redis that gateways can read.
 */
const completeMs = 3000

/** A Redis that takes longer counts as lost: for a renewal, and for writing all keys. */
const renewTimeoutMs = 1000
const writeTimeoutMs = 10_000

/**
 * Entries may come in any order and repeatedly: a lower epoch never replaces a higher one.
 */
const setMinimumEpochScript = `
local known = tonumber(redis.call('GET', KEYS[1]) or -1)
if tonumber(ARGV[1]) >= known then redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end`

/** Adds the change of one entry to a pipeline. */
export function setMinimumEpoch(pipeline: ChainableCommander, keyPrefix: string, entry: Revocation): void {
  const key = revocationKey(keyPrefix, entry)
  pipeline.eval(setMinimumEpochScript, 1, key, entry.epoch ?? endedEpoch, Math.ceil(entry.until))
}

/**
 * Renews the mark that the keys are complete; call it when all due entries are published. Where the
 * mark has expired, because Redis was empty or unreachable, all entries in force are written first.
 *
 * One pipeline over one connection writes both, so that a Redis that loses its data meanwhile is
 * not marked complete.
 */
export function createCompleteMarkerRenewal({ sql, redis, keyPrefix, lifeSeconds }: CompleteMarkerOptions) {
  const complete = completeMarkerKey(keyPrefix)
  let isComplete = false
  // A replica that was promoted may lack the newest keys, although it has the one that says that
  // they are complete.
  const onConnectionLost = () => {
    isComplete = false
  }
  redis.on('close', onConnectionLost)
  // Of a cluster, when one node is gone.
  redis.on('-node', onConnectionLost)

  return async function renewCompleteMarker(): Promise<void> {
    if (isComplete && (await withTimeout(renewTimeoutMs, redis.set(complete, 1, 'PX', completeMs, 'XX'))))
      return
    const { entries } = await selectRevocations(sql, null, lifeSeconds)
    const pipeline = redis.pipeline()
    for (const entry of entries) setMinimumEpoch(pipeline, keyPrefix, entry)
    pipeline.set(complete, 1, 'PX', completeMs)
    await execute(pipeline, writeTimeoutMs)
    isComplete = true
  }
}

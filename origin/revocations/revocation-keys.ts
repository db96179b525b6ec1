import type { ChainableCommander } from 'ioredis'
import {
  endedEpoch,
  type Revocation,
  revocationKey,
  revocationsCompleteKey,
} from '../../shared/auth/revocation.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import type { RedisClient } from '../../shared/node/redis.ts'
import type { Sql } from '../db/types.ts'
import { selectRevocations } from './queries.ts'
import { execute } from './redis-pipeline.ts'

interface RevocationKeysOptions {
  sql: Sql
  redis: RedisClient
  keyPrefix: string
  lifeSeconds: number
}

/**
 * How long the keys count as complete after the origin has said so. With the pause between two
 * looks it stays within the 5 s that hold where the origin cannot write what gateways can read.
 */
const completeMs = 3000

/** A Redis that takes longer is treated as lost: for a word, and for all that is in force. */
const renewTimeoutMs = 1000
const writeTimeoutMs = 10_000

/**
 * Entries may come in any order and more than once: a lower epoch never takes the place of a higher
 * one.
 */
const raiseScript = `
local known = tonumber(redis.call('GET', KEYS[1]) or -1)
if tonumber(ARGV[1]) >= known then redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) end`

/** Adds to a pipeline what one entry changes. */
export function raiseKey(pipeline: ChainableCommander, keyPrefix: string, entry: Revocation): void {
  const key = revocationKey(keyPrefix, entry)
  pipeline.eval(raiseScript, 1, key, entry.epoch ?? endedEpoch, Math.ceil(entry.until))
}

/**
 * Vouches for the keys, to be called when all that is due was published: renews the word that they
 * are complete, and where nobody has given it lately, as Redis was empty or out of reach, writes
 * all that is in force before it gives it.
 *
 * All goes over one connection in one pipeline, so that a Redis that loses its data on the way is
 * not vouched for.
 */
export function createRevocationKeys({ sql, redis, keyPrefix, lifeSeconds }: RevocationKeysOptions) {
  const complete = revocationsCompleteKey(keyPrefix)
  let isComplete = false
  // A replica that was promoted may lack the newest keys, although it has the one that says that
  // they are complete.
  const onConnectionLost = () => {
    isComplete = false
  }
  redis.on('close', onConnectionLost)
  // Of a cluster, when one node is gone.
  redis.on('-node', onConnectionLost)

  return async function renewCompleteness(): Promise<void> {
    if (isComplete && (await withTimeout(renewTimeoutMs, redis.set(complete, 1, 'PX', completeMs, 'XX'))))
      return
    const { entries } = await selectRevocations(sql, null, lifeSeconds)
    const pipeline = redis.pipeline()
    for (const entry of entries) raiseKey(pipeline, keyPrefix, entry)
    pipeline.set(complete, 1, 'PX', completeMs)
    await execute(pipeline, writeTimeoutMs)
    isComplete = true
  }
}

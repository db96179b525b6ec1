import { once } from 'node:events'
import {
  completeMarkerKey,
  fromStreamFields,
  revocationKeyPrefix,
  revocationStreamKey,
} from '../../../shared/auth/revocation.ts'
import type { Log } from '../../../shared/lib/log.ts'
import { withTimeout } from '../../../shared/lib/with-timeout.ts'
import { connectRedis } from '../../../shared/node/redis.ts'
import type { RevocationStream } from '../../ports.ts'

interface RevocationStreamOptions {
  redisUrl: string
  keyPrefix: string
  log: Log
}

/** Longest block of a read without entries. */
const blockMs = 1000

/** A silent Redis counts as lost after this time. */
const replyTimeoutMs = 1000

/** Entries per read. */
const batchSize = 1000

/** Position before the first entry. */
const beginning = '0-0'

/**
 * The revocation stream in Redis, on its own connection, which a blocked read occupies.
 */
export function createRevocationStream({
  redisUrl,
  keyPrefix,
  log,
}: RevocationStreamOptions): RevocationStream {
  const redis = connectRedis(redisUrl, log)
  const prefix = revocationKeyPrefix(keyPrefix, redis.isCluster)
  const key = revocationStreamKey(prefix)

  /** A connection with an overdue reply is replaced. */
  async function replyWithin<T>(timeoutMs: number, reply: Promise<T>): Promise<T> {
    try {
      return await withTimeout(timeoutMs, reply)
    } catch (error) {
      if (redis.status === 'ready') redis.disconnect(true)
      throw error
    }
  }

  /** The mark expires 3 s after the last origin wrote it. */
  const hasPublisher = async () => (await redis.get(completeMarkerKey(prefix))) !== null

  return {
    async position() {
      if (redis.status !== 'ready')
        await once(redis, 'ready', { signal: AbortSignal.timeout(replyTimeoutMs) })
      const [[last], written] = await replyWithin(
        replyTimeoutMs,
        Promise.all([redis.xrevrange(key, '+', '-', 'COUNT', 1), hasPublisher()]),
      )
      return { position: last?.[0] ?? beginning, hasPublisher: written }
    },

    async read(from) {
      const [streams, written] = await replyWithin(
        blockMs + replyTimeoutMs,
        Promise.all([
          redis.xread('COUNT', batchSize, 'BLOCK', blockMs, 'STREAMS', key, from),
          // The server replies to this one when the read has ended.
          hasPublisher(),
        ]),
      )
      const rows = streams?.[0]?.[1] ?? []
      const entries = rows
        .map(([, fields]) => fromStreamFields(fields))
        .filter((entry) => entry !== undefined)
      if (entries.length < rows.length) log.warn({ key }, 'malformed entry in the revocation stream')
      return { entries, position: rows.at(-1)?.[0] ?? from, hasPublisher: written }
    },

    close: () => redis.disconnect(),
  }
}

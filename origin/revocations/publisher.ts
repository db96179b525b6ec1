import { type Revocation, revocationStreamKey, toStreamFields } from '../../shared/auth/revocation.ts'
import type { RedisClient } from '../../shared/node/redis.ts'
import type { Sql } from '../db/types.ts'
import type { WrittenRevocation } from './after-commit.ts'
import { lockUnpublishedForUpdate, markPublished, withExpiry } from './queries.ts'
import { execute } from './redis-pipeline.ts'
import { createCompleteMarkerRenewal, setMinimumEpoch } from './revocation-keys.ts'

export interface PublisherOptions {
  sql: Sql
  redis: RedisClient
  keyPrefix: string
  lifeSeconds: number
  /**
   * Called with the published entries' lags: seconds since the cause, by the clock of this process.
   */
  onPublished?: ((lags: readonly number[]) => void) | undefined
}

/** Rows per transaction. */
const batchSize = 500

/** Longer than any entry is live: a gateway that reconnects later reads the feed. */
const keptMs = 2 * 3600 * 1000

/** A Redis that takes longer counts as lost, so that it does not keep a transaction open. */
const redisTimeoutMs = 1000

/**
 * Publishes committed revocations to the Redis stream and keys, at least once: rows are marked
 * after Redis has them, in the transaction that locks them, so that replicas share the work.
 * Duplicate entries do no harm.
 */
export function createPublisher(options: PublisherOptions) {
  const { sql, redis, keyPrefix, lifeSeconds, onPublished = () => {} } = options
  const key = revocationStreamKey(keyPrefix)
  const renewCompleteMarker = createCompleteMarkerRenewal({ sql, redis, keyPrefix, lifeSeconds })

  /**
   * All or nothing: of a Redis that takes one of these commands and rejects another, the stream
   * would grow by the same entries at each try.
   */
  async function append(rows: readonly Revocation[]): Promise<void> {
    const transaction = redis.multi()
    for (const row of rows) {
      transaction.xadd(key, 'MINID', '~', Date.now() - keptMs, '*', ...toStreamFields(row))
      setMinimumEpoch(transaction, keyPrefix, row)
    }
    await execute(transaction, redisTimeoutMs)
  }

  /** @returns how many were published */
  async function publishBatch(): Promise<number> {
    let lost = false
    const publishing = sql.begin(async (transaction) => {
      const rows = await lockUnpublishedForUpdate(transaction, batchSize, lifeSeconds)
      if (rows.length === 0) return 0
      await append(rows)
      // A statement on a connection that was lost during the call to Redis would end the process:
      // see origin/db/transactions.ts.
      if (lost) throw new Error('the database connection was lost')
      await markPublished(
        transaction,
        rows.map(({ id }) => id),
      )
      onPublished(rows.map(({ at }) => Math.max(0, Date.now() - at) / 1000))
      return rows.length
    })
    publishing.catch(() => {
      lost = true
    })
    return publishing
  }

  /**
   * Publishes all due revocations.
   *
   * @throws Error where the database or Redis fails; unpublished rows stay for the next run
   */
  async function publishDue(signal: AbortSignal): Promise<void> {
    if (redis.status !== 'ready') throw new Error(`redis is ${redis.status}`)
    while (!signal.aborted && (await publishBatch()) === batchSize);
    if (!signal.aborted) await renewCompleteMarker()
  }

  /** Publishes what has just been committed; the table still has it for `publishDue`. */
  async function publishNow(entries: readonly WrittenRevocation[]): Promise<void> {
    await append(entries.map((entry) => withExpiry(entry, lifeSeconds)))
  }

  return { publishDue, publishNow }
}

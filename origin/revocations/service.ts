import { revocationKeyPrefix } from '../../shared/auth/revocation.ts'
import type { Log } from '../../shared/lib/log.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import type { Sql } from '../db/types.ts'
import type { WrittenRevocation } from './after-commit.ts'
import { createPublisher, type PublisherOptions } from './publisher.ts'
import { startRevocationRelay } from './relay.ts'

/** Longer than any reply takes, even to the pipeline that writes all entries in force. */
const silenceMs = 1500

/** Lifetime of a key that only tests whether Redis accepts writes. */
const probeKeptMs = 1000

interface RevocationsOptions {
  sql: Sql
  /** Without a URL nothing is published, and gateways read the feed. */
  redisUrl: string | undefined
  keyPrefix: string
  lifeSeconds: number
  onPublished?: PublisherOptions['onPublished']
  log: Log
}

/** Publishes revocations to Redis for as long as this process runs. */
export function startRevocations({
  sql,
  redisUrl,
  keyPrefix,
  lifeSeconds,
  onPublished,
  log,
}: RevocationsOptions) {
  if (redisUrl === undefined) return { requireRedis: undefined, publishNow: () => {}, stop: async () => {} }
  const redis = connectRedis(redisUrl, log, { silenceMs })
  const prefix = revocationKeyPrefix(keyPrefix, redis.isCluster)
  const publisher = createPublisher({
    sql,
    redis,
    keyPrefix: prefix,
    lifeSeconds,
    onPublished,
  })
  const relay = startRevocationRelay({ publish: publisher.publishDue, log })
  return {
    /**
     * @throws Error where Redis accepts no writes: a full Redis or a replica replies to PING all
     * the same
     */
    async requireRedis(): Promise<void> {
      await redis.set(`${prefix}origin-probe`, 1, 'PX', probeKeptMs)
    },
    /** Without Redis the relay logs the outage, and gateways read the feed. */
    publishNow(entries: readonly WrittenRevocation[]): void {
      publisher.publishNow(entries).catch((error) => {
        log.debug({ err: error }, 'revocations are left to the relay')
      })
    },
    async stop(): Promise<void> {
      await relay.stop()
      redis.disconnect()
    },
  }
}

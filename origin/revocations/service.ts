import type { Log } from '../../shared/log.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import type { Sql } from '../database.ts'
import { createPublisher, type PublisherOptions } from './publisher.ts'
import { startRevocationRelay } from './relay.ts'

interface RevocationsOptions {
  sql: Sql
  /** Without one nothing is published, and gateways read the feed. */
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
  if (redisUrl === undefined) return { redis: undefined, stop: async () => {} }
  const redis = connectRedis(redisUrl, log)
  const publish = createPublisher({ sql, redis, keyPrefix, lifeSeconds, onPublished })
  const relay = startRevocationRelay({ publish, log })
  return {
    redis,
    async stop(): Promise<void> {
      await relay.stop()
      redis.disconnect()
    },
  }
}

import {
  type IRateLimiterStoreOptions,
  RateLimiterPostgres,
  RateLimiterRedis,
  type RateLimiterStoreAbstract,
} from 'rate-limiter-flexible'
import type { RedisClient } from '../../shared/node/redis.ts'
import type { Sql } from '../db/types.ts'

/**
 * Where all origins count together: Redis, or the database where there is none. The commands of
 * Redis must fail fast for the local fallback to work.
 */
export type LimitStore = { kind: 'redis'; redis: RedisClient } | { kind: 'postgres'; sql: Sql }

/** The table of counters, which `expired_tokens` of the upkeep keeps small. */
const tableName = 'limit_counters'

type LimiterOptions = Omit<IRateLimiterStoreOptions, 'storeClient'>

export function createSharedLimiter(store: LimitStore, options: LimiterOptions): RateLimiterStoreAbstract {
  switch (store.kind) {
    case 'redis':
      return new RateLimiterRedis({ ...options, storeClient: store.redis, rejectIfRedisNotReady: true })
    case 'postgres':
      return new RateLimiterPostgres({
        ...options,
        storeClient: createQueryClient(store.sql),
        storeType: 'client',
        tableName,
        tableCreated: true,
        clearExpiredByTimeout: false,
      })
  }
}

/**
 * The part of a `pg` client that RateLimiterPostgres uses. Each call is a statement of its own: in
 * a transaction with a pool of one connection it would wait for itself.
 */
function createQueryClient(sql: Sql) {
  const { prepare } = sql.options
  return {
    async query({ text, values }: { text: string; values: (string | number | null)[] }) {
      const rows = await sql.unsafe(text, values, { prepare })
      return { rows: [...rows], rowCount: rows.count }
    },
  }
}

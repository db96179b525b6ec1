import { Redis } from 'ioredis'

/**
 * Reads of Redis from its clients since its start: commands that came together are one, so these
 * are the round trips.
 */
export async function redisReads(url: string): Promise<number> {
  const redis = new Redis(url)
  try {
    const info = await redis.info('stats')
    return Number(/^total_reads_processed:(\d+)/m.exec(info)?.[1])
  } finally {
    redis.disconnect()
  }
}

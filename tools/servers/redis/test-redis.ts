import { Redis } from 'ioredis'
import { inject } from 'vitest'

/** In database 0, which no test file gets. */
const allotmentKey = 'gatehouse:test:allotted-databases'

/**
 * The URL of an empty Redis database for one test file or one test alone. A server of ours has a
 * thousand; on one of `TEST_REDIS_URL` they are given out again when all are used, so it needs more
 * than there are files at work at once. Channels of PUBLISH are shared by all databases of a
 * server.
 */
export async function redisForFile(): Promise<string> {
  const serverUrl = inject('redisUrl')
  const server = new Redis(serverUrl, { db: 0 })
  try {
    const [, databases] = (await server.config('GET', 'databases')) as [string, string]
    const allotted = await server.incr(allotmentKey)
    const database = 1 + ((allotted - 1) % (Number(databases) - 1))
    await server.select(database)
    await server.flushdb()
    const url = new URL(serverUrl)
    url.pathname = `${database}`
    return url.href
  } finally {
    await server.quit()
  }
}

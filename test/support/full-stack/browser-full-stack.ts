import { fileURLToPath } from 'node:url'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { seedDemoAccounts } from '../../../dev/demo.ts'
import { generateSecrets } from '../../../dev/secrets.ts'
import { startService } from '../../../dev/service.ts'
import { createCommandDatabase } from '../../../origin/db/database.ts'
import { createPasswordHasher } from '../../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../../origin/passwords/worker-pool.ts'
import { createTestDatabase } from '../../../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { createCapturedLog } from '../captured-log.ts'
import { launchBrowser } from './launch-browser.ts'

/** Of every demo account. */
export const password = 'correct horse battery'

const cost = '10'

export type BrowserFullStack = Awaited<ReturnType<typeof createBrowserFullStack>>

/**
 * Gateway and origin as processes on sockets, a Postgres database and a Redis of their own, the
 * demo accounts, and a Chromium before it all.
 */
export async function createBrowserFullStack(environment: Record<string, string> = {}) {
  /** Resources to close, last first, also where a later one does not start. */
  const endings: (() => Promise<unknown>)[] = []
  async function close() {
    for (let end = endings.pop(); end; end = endings.pop()) await end()
  }
  try {
    return await start(environment, endings, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function start(
  environment: Record<string, string>,
  endings: (() => Promise<unknown>)[],
  close: () => Promise<void>,
) {
  const database = await createTestDatabase()
  endings.push(() => database.drop())
  const redis = await startPrivateRedis()
  endings.push(() => redis.stop())
  const secrets = await generateSecrets()
  const [gatewayPort, originPort] = [await findFreePort(), await findFreePort()]
  const url = `http://127.0.0.1:${gatewayPort}`
  const sql = createCommandDatabase(database.url, createCapturedLog('test').log)
  endings.push(() => sql.end())
  await addDemoAccounts(sql, secrets.PASSWORD_DIGEST_KEY)

  const variables = {
    ...secrets,
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    PASSWORD_HASH_COST: cost,
    LOG_LEVEL: 'error',
    ISSUER_URL: url,
    GATEWAY_PORT: `${gatewayPort}`,
    ORIGIN_PORT: `${originPort}`,
    ORIGIN_URL: `http://127.0.0.1:${originPort}`,
    ...environment,
  }
  for (const [name, entry, port] of [
    ['origin', 'origin/main.ts', originPort],
    ['gateway', 'gateway/adapters/node/main.ts', gatewayPort],
  ] as const) {
    const service = startService({
      name,
      entry: fileURLToPath(new URL(`../../../${entry}`, import.meta.url)),
      environment: variables,
      liveUrl: `http://127.0.0.1:${port}/live`,
      onUnexpectedEnd: (how) => process.stderr.write(`${name} ended (${how})\n`),
    })
    endings.push(() => service.stop())
    await service.listening
  }

  const browser = await launchBrowser()
  endings.push(() => browser.close())

  /**
   * Faults of pages: a breach of their policy, an exception, a request to anything but the gateway.
   */
  const faults: string[] = []

  return {
    url,
    sql,
    redis,
    faults,

    /** A browser of its own, without cookies. */
    async openPage(path: string, options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
      context.setDefaultTimeout(30_000)
      const page = await context.newPage()
      page.on('pageerror', (error) => faults.push(`threw: ${error.message}`))
      page.on('console', (message) => {
        // A refusal is no fault: it is what the page puts into words.
        const isRefusal = /^Failed to load resource: the server responded with a status of \d/.test(
          message.text(),
        )
        if (['error', 'warning'].includes(message.type()) && !isRefusal)
          faults.push(`said: ${message.text()}`)
      })
      page.on('request', (request) => {
        if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
          faults.push(`asked for ${request.url()}`)
      })
      await page.goto(url + path)
      return page
    },

    /** Pages left open would take the processor from the next test. */
    async closePages() {
      for (const context of browser.contexts()) await context.close()
    },

    close,
  }
}

async function addDemoAccounts(sql: ReturnType<typeof createCommandDatabase>, digestKey: string) {
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  const passwords = await createPasswordHasher({
    pool,
    digestKey: Buffer.from(digestKey, 'base64'),
    cost: Number(cost),
  })
  await seedDemoAccounts(sql, passwords, password)
  await pool.close()
}

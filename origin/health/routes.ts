import { Hono } from 'hono'
import { check, healthResponse } from '../../shared/health.ts'
import type { OriginEnv } from '../caller.ts'
import type { Sql } from '../database.ts'

interface HealthRoutesOptions {
  sql: Sql
  isStopping?: (() => boolean) | undefined
}

export function createHealthRoutes({ sql, isStopping = () => false }: HealthRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  const checks = async () => ({
    instance: isStopping() ? { status: 'fail' as const, detail: 'stopping' } : { status: 'pass' as const },
    database: await check(() => sql`select 1`),
  })

  /** Is the process there? Asks nobody. */
  routes.get('/live', () => healthResponse({}))

  /** Should requests be sent here? */
  routes.get('/ready', async () => healthResponse(await checks()))

  /** How is it doing? Bytes and seconds. The origin stands on the inner network, so this may say more. */
  routes.get('/health', async () =>
    healthResponse(await checks(), {
      pool: { max: sql.options.max },
      memory: { rss_bytes: process.memoryUsage.rss() },
      uptime_seconds: Math.round(process.uptime()),
    }),
  )

  return routes
}

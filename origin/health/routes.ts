import { Hono } from 'hono'
import { check, type HealthCheck, healthResponse } from '../../shared/http/health.ts'
import { processState } from '../../shared/node/telemetry/process-metrics.ts'
import type { Sql } from '../db/types.ts'
import { requireWritable } from '../db/writable.ts'
import type { OriginEnv } from '../http/request-context.ts'
import type { PoolLoad } from '../metrics/measured-sql.ts'

interface HealthRoutesOptions {
  /** Of connections that no request uses: a full pool is no lost database. */
  sql: Sql
  poolLoad: () => PoolLoad
  /** Writes to Redis, where revocations are published to it. */
  askRedis?: (() => Promise<unknown>) | undefined
  /** How the origin's own limits are counted, where all origins share them. */
  limitsHealth?: (() => Promise<HealthCheck>) | undefined
  isStopping?: (() => boolean) | undefined
}

export function createHealthRoutes(options: HealthRoutesOptions) {
  const { sql, poolLoad, askRedis, limitsHealth, isStopping = () => false } = options
  const routes = new Hono<OriginEnv>()

  function poolCheck(): HealthCheck {
    const { waiting } = poolLoad()
    return waiting > 0 ? { status: 'warn', detail: 'full' } : { status: 'pass' }
  }

  async function checks() {
    const [database, limiter] = await Promise.all([check(() => requireWritable(sql)), limitsHealth?.()])
    return {
      instance: isStopping() ? { status: 'fail' as const, detail: 'stopping' } : { status: 'pass' as const },
      database,
      pool: poolCheck(),
      ...(limiter && { limiter }),
    }
  }

  /**
   * Without Redis gateways read the revocation feed with a longer delay: the check warns and does
   * not fail.
   */
  async function redisCheck(ask: () => Promise<unknown>) {
    const { status, ...more } = await check(ask)
    return { ...more, status: status === 'pass' ? ('pass' as const) : ('warn' as const) }
  }

  /** Liveness: checks no dependency. */
  routes.get('/live', () => healthResponse({}))

  /** Readiness. */
  routes.get('/ready', async () => healthResponse(await checks()))

  /**
   * Details in bytes and seconds. The origin is on the internal network, so they are not public.
   */
  routes.get('/health', async () => {
    const [asked, redis] = await Promise.all([checks(), askRedis && redisCheck(askRedis)])
    const { max, inUse, waiting } = poolLoad()
    return healthResponse(
      { ...asked, ...(redis && { redis }) },
      { pool: { max, in_use: inUse, waiting }, ...processState() },
    )
  })

  return routes
}

import { z } from 'zod'
import type { HealthCheck, HealthResponse } from '../http/health.ts'

export type { HealthResponse, HealthStatus } from '../http/health.ts'

/** `warn`: the service answers requests, in a degraded state. */
const healthStatus = z.enum(['pass', 'warn', 'fail'])

const healthCheck = z.object({
  status: healthStatus,
  time_ms: z.int().exactOptional(),
  detail: z.string().exactOptional(),
}) satisfies z.ZodType<HealthCheck>

/** Of the gateway, in words that are fit for the public. */
export const healthResponse = z
  .object({ status: healthStatus, checks: z.record(z.string(), healthCheck) })
  .meta({ id: 'Health' }) satisfies z.ZodType<HealthResponse>

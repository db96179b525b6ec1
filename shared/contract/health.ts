import { z } from 'zod'
import type { HealthAnswer, HealthCheck } from '../http/health.ts'

export type { HealthAnswer, HealthStatus } from '../http/health.ts'

/** `warn`: the service answers requests, in a degraded state. */
const healthStatus = z.enum(['pass', 'warn', 'fail'])

const healthCheck = z.object({
  status: healthStatus,
  time_ms: z.int().exactOptional(),
  detail: z.string().exactOptional(),
}) satisfies z.ZodType<HealthCheck>

/** Of the gateway, in words that are fit for the public. */
export const healthAnswer = z
  .object({ status: healthStatus, checks: z.record(z.string(), healthCheck) })
  .meta({ id: 'Health' }) satisfies z.ZodType<HealthAnswer>

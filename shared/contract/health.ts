import { z } from 'zod'

/** Health answers in the form of draft-inadarei-api-health-check: `warn` serves, but not as it should. */
const healthStatus = z.enum(['pass', 'warn', 'fail'])

export type HealthStatus = z.output<typeof healthStatus>

/** `time_ms` is how long the check took. */
const healthCheck = z.object({
  status: healthStatus,
  time_ms: z.int().exactOptional(),
  detail: z.string().exactOptional(),
})

export type HealthCheck = z.output<typeof healthCheck>

/** Of the gateway, in words that are fit for the public. */
export const healthAnswer = z
  .object({ status: healthStatus, checks: z.record(z.string(), healthCheck) })
  .meta({ id: 'Health' })

export type HealthAnswer = z.output<typeof healthAnswer>

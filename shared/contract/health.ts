import * as z from 'zod'
import { defineEndpointGroup } from '../endpoint/endpoint.ts'
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
const healthResponse = z
  .object({ status: healthStatus, checks: z.record(z.string(), healthCheck) })
  .meta({ id: 'Health' }) satisfies z.ZodType<HealthResponse>

const mediaType = 'application/health+json'

const responses = {
  200: {
    description: 'The instance serves requests; with `warn` some function is degraded.',
    schema: healthResponse,
    mediaType,
  },
  503: { description: 'Not ready: send requests to another instance.', schema: healthResponse, mediaType },
} as const

/** Endpoints of the gateway itself, without a row in the policy table. */
export const health = defineEndpointGroup({
  name: 'Health',
  description: 'Health of the gateway and its dependencies; public.',
  endpoints: {
    readLive: { method: 'GET', path: '/live', summary: 'Liveness', responses: { 200: responses[200] } },
    readReady: { method: 'GET', path: '/ready', summary: 'Readiness', responses },
    readHealth: { method: 'GET', path: '/health', summary: 'Health', responses },
  },
})

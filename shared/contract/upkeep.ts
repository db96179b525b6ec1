import * as z from 'zod'
import { defineEndpointGroup } from '../endpoint/endpoint.ts'
import { utcDateTime } from './fields.ts'
import { filteredList } from './lists.ts'

/** The jobs of the database's upkeep. */
export const jobNames = [
  'refresh_views',
  'make_partitions',
  'expired_tokens',
  'rate_limit_logs',
  'usage_days',
  'mail_outbox',
  'unverified_accounts',
  'login_attempts',
  'audit_logs',
  'upkeep_runs',
] as const

const upkeepRunFilters = {
  job: z.enum(jobNames).optional(),
  outcome: z.enum(['succeeded', 'failed', 'unfinished']).optional(),
}

/**
 * One run of a job of the database's upkeep. Without an outcome it is under way, or broke off;
 * `slot` is when it was due.
 */
const upkeepRunResponse = z
  .object({
    id: z.string(),
    job: z.string(),
    slot: utcDateTime,
    started_at: utcDateTime,
    finished_at: utcDateTime.nullable(),
    rows: z.int(),
    outcome: z.enum(['succeeded', 'failed']).nullable(),
    sqlstate: z.string().nullable(),
  })
  .meta({ id: 'UpkeepRun' })

export type UpkeepRunResponse = z.output<typeof upkeepRunResponse>

const upkeepRunStartedResponse = z.object({ id: z.string() }).meta({ id: 'UpkeepRunStarted' })

export const upkeep = defineEndpointGroup({
  name: 'Upkeep',
  description: 'Scheduled jobs of the database: deletion, partitions, expiry.',
  endpoints: {
    listUpkeepRuns: {
      method: 'GET',
      path: '/admin/upkeep-runs',
      summary: 'List runs, the newest first',
      ...filteredList(upkeepRunResponse, upkeepRunFilters),
    },
    startUpkeep: {
      method: 'POST',
      path: '/admin/upkeep/{job}/runs',
      params: { job: z.enum(jobNames) },
      summary: 'Run a job now',
      responses: { 202: { description: 'The run has started.', schema: upkeepRunStartedResponse } },
      errors: ['upkeep_running'],
    },
  },
})

import { Hono } from 'hono'
import { z } from 'zod'
import {
  type UpkeepRunResponse,
  type UpkeepRunStartedResponse,
  upkeepRunFilters,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { listQuery, listResponse } from '../http/pagination.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import type { UpkeepRun } from './queries.ts'
import type { UpkeepService } from './service.ts'

interface UpkeepRoutesOptions {
  upkeep: UpkeepService
}

const runsQuery = listQuery(upkeepRunFilters, z.tuple([z.string().regex(/^\d{1,18}$/)]))

const manageSystem = requireAuthorization({ permissions: { all: ['system.manage'] } })

/** For people who run the product. */
export function createUpkeepRoutes({ upkeep }: UpkeepRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.get('/upkeep-runs', manageSystem, runsQuery, async (c) => {
    const { job, outcome, limit, cursor } = c.req.valid('query')
    const runs = await upkeep.list({ job, outcome, belowId: cursor?.[0], limit })
    return listResponse(c, runs, { limit, position: ({ id }) => [id], item: toResponse })
  })

  routes.post('/upkeep/:job/runs', manageSystem, async (c) => {
    const { sub: actorId } = requireUser(c.get('user'))
    const outcome = await upkeep.start(c.req.param('job'), actorId, c.get('context'))
    switch (outcome.kind) {
      case 'started':
        return c.json({ id: outcome.id } satisfies UpkeepRunStartedResponse, 202)
      case 'unknown_job':
        throw new Problem('not_found')
      case 'running':
        throw new Problem('upkeep_running')
    }
  })

  return routes
}

function toResponse(run: UpkeepRun): UpkeepRunResponse {
  return {
    id: run.id,
    job: run.job,
    slot: run.slot.toISOString(),
    started_at: run.startedAt.toISOString(),
    finished_at: run.finishedAt?.toISOString() ?? null,
    rows: run.rows,
    outcome: run.outcome,
    // What the database said beside its code names tables and columns, which stays in the table and
    // in the log.
    sqlstate: run.error?.slice(0, 5) ?? null,
  }
}

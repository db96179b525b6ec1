import { Hono } from 'hono'
import * as z from 'zod'
import { upkeep as contract, type UpkeepRunResponse } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import { serveList } from '../http/serve-list.ts'
import type { UpkeepRun } from './queries.ts'
import type { UpkeepService } from './service.ts'

interface UpkeepRoutesOptions {
  upkeep: UpkeepService
}

const { listUpkeepRuns, startUpkeep } = contract.endpoints

const newestFirst = {
  position: z.tuple([z.string().regex(/^\d{1,18}$/)]),
  positionOf: ({ id }: UpkeepRun): [string] => [id],
  item: toResponse,
}

const manageSystem = requireAuthorization({ permissions: { all: ['system.manage'] } })

/** Upkeep runs, for administrators. */
export function createUpkeepRoutes({ upkeep }: UpkeepRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serveList(routes, listUpkeepRuns, manageSystem, newestFirst, ({ filters, limit, after }) =>
    upkeep.list({ ...filters, belowId: after?.[0], limit }),
  )

  serve(routes, startUpkeep, manageSystem, async ({ params: { job }, respond }, c) => {
    const { sub: actorId } = requireUser(c.get('user'))
    const outcome = await upkeep.start(job, actorId, c.get('context'))
    switch (outcome.kind) {
      case 'started':
        return respond({ id: outcome.id })
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
    // The message beside the SQLSTATE names tables and columns, so it stays in the table and in the
    // log.
    sqlstate: run.error?.slice(0, 5) ?? null,
  }
}

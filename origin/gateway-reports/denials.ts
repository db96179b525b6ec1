import { createMiddleware } from 'hono/factory'
import { Problem } from '../../shared/http/errors.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Queryable } from '../db/types.ts'
import type { ServiceEnv } from '../oauth/tokens/require-service.ts'

/** Inserts an audit row for each request of a service whose token lacks the scope. */
export function auditDenials(sql: Queryable) {
  return createMiddleware<ServiceEnv>(async function auditDenials(c, next) {
    await next()
    if (!(c.error instanceof Problem) || c.error.code !== 'scope_required') return
    const { required_scope: scope } = c.error.members
    await insertAuditRow(sql, {
      action: 'client.denied',
      actorId: null,
      userId: null,
      context: c.get('context'),
      details: { client_id: c.get('service').clientId, reason: 'scope_missing', scope: String(scope) },
    })
  })
}

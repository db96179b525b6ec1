import type { DenialReport } from '../../shared/contract.ts'
import type { AuditAction } from '../audit/queries.ts'
import type { Queryable } from '../db/types.ts'

const action: AuditAction = 'access.denied'

/**
 * Inserts a gateway's batch in one statement: an audit row for each denial, with its count.
 */
export async function insertDenialReport(
  sql: Queryable,
  denials: DenialReport['denials'],
  requestId: string,
): Promise<void> {
  await sql`
    insert into audit_logs (action, actor_id, user_id, session_id, request_id, details)
    select ${action}, user_id, user_id, session_id, ${requestId},
      jsonb_build_object('code', code, 'method', method, 'route', route, 'count', count)
    from unnest(
      ${denials.map((denial) => denial.user_id)}::uuid[],
      ${denials.map((denial) => denial.session_id)}::uuid[],
      ${denials.map(({ code }) => code)}::text[],
      ${denials.map(({ method }) => method)}::text[],
      ${denials.map(({ route }) => route)}::text[],
      ${denials.map(({ count }) => count)}::int[]
    ) as denial (user_id, session_id, code, method, route, count)`
}

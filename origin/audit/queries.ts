import type { JSONValue } from 'postgres'
import type { Queryable } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'

/**
 * The security events. The transaction of the cause writes the row, so that neither commits without
 * the other.
 */
export type AuditAction =
  | 'account.registered'
  | 'account.registration_refused'
  | 'account.email_verified'
  | 'account.verification_refused'
  | 'account.verification_requested'
  | 'account.locked'
  | 'account.unlocked'
  | 'account.disabled'
  | 'account.enabled'
  | 'account.role_changed'
  | 'account.change_refused'
  | 'catalogue.applied'
  | 'role.created'
  | 'role.changed'
  | 'role.removed'
  | 'role.permissions_changed'
  | 'role.change_refused'
  | 'login.succeeded'
  | 'login.failed'
  | 'login.factor_required'
  | 'factor.added'
  | 'factor.change_refused'
  | 'factor.removed'
  | 'factor.recovery_codes_created'
  | 'factor.recovery_code_used'
  | 'factor.reset'
  | 'session.stepped_up'
  | 'session.step_up_failed'
  | 'session.ended'
  | 'session.refresh_replayed_late'
  | 'session.refresh_reused'
  | 'token.exchanged'
  | 'token.exchange_refused'
  | 'password.changed'
  | 'password.change_refused'
  | 'password.reset_requested'
  | 'password.reset'
  | 'password.rehashed'
  | 'account.imported'
  | 'account.profile_changed'
  | 'account.metadata_changed'
  | 'account.unverified_removed'
  | 'client.created'
  | 'client.secret_rotated'
  | 'client.previous_secret_ended'
  | 'client.scopes_changed'
  | 'client.disabled'
  | 'client.deleted'
  | 'client.authentication_failed'
  | 'client.denied'
  | 'client.token_issued'
  | 'permission.created'
  | 'permission.changed'
  | 'permission.removed'
  | 'plan.created'
  | 'plan.removed'
  | 'feature.created'
  | 'feature.changed'
  | 'feature.removed'
  | 'plan.changed'
  | 'plan.features_changed'
  | 'subscription.changed'
  | 'key.published'
  | 'key.signing'
  | 'key.retiring'
  | 'key.gone'
  | 'key.revoked'
  | 'key.resealed'
  | 'access.denied'
  | 'api_key.created'
  | 'api_key.revoked'
  | 'api_key.network_refused'
  | 'upkeep.started'

export interface AuditEvent {
  action: AuditAction
  /** The account that acted; null where no user was signed in. */
  actorId: string | null
  /** The account that the event concerns. */
  userId: string | null
  sessionId?: string
  context: RequestContext
  details?: Record<string, JSONValue>
}

export async function insertAuditRow(sql: Queryable, event: AuditEvent): Promise<void> {
  const { action, actorId, userId, sessionId = null, context, details = {} } = event
  await sql`
    insert into audit_logs (action, actor_id, user_id, session_id, ip, user_agent, request_id, details)
    values (${action}, ${actorId}, ${userId}, ${sessionId}, ${context.ip}, ${context.userAgent}, ${context.requestId},
      ${sql.json(details)})`
}

/** As `insertAuditRow`, for many events in one statement. */
export async function insertAuditRows(sql: Queryable, events: readonly AuditEvent[]): Promise<void> {
  const rows = events.map(({ action, actorId, userId, sessionId = null, context, details = {} }) => ({
    action,
    actor_id: actorId,
    user_id: userId,
    session_id: sessionId,
    ip: context.ip,
    user_agent: context.userAgent,
    request_id: context.requestId,
    details,
  }))
  await sql`
    insert into audit_logs (action, actor_id, user_id, session_id, ip, user_agent, request_id, details)
    select action, actor_id, user_id, session_id, ip, user_agent, request_id, details
    from jsonb_to_recordset(${sql.json(rows)}) as given (action text, actor_id uuid, user_id uuid, session_id uuid,
      ip inet, user_agent text, request_id text, details jsonb)`
}

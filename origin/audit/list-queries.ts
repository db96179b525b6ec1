import type { AuditLogItem, LoginAttemptItem, RateLimitLogItem } from '../../shared/contract.ts'
import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable } from '../db/types.ts'
import { createdAt, type Page, pageOf } from './page.ts'

interface AuditLogFilters extends Page {
  user_id?: string | undefined
  actor_id?: string | undefined
  action?: string | undefined
}

export async function selectAuditLogs(sql: Queryable, filters: AuditLogFilters): Promise<AuditLogItem[]> {
  const { user_id: userId, actor_id: actorId, action } = filters
  return sql<AuditLogItem[]>`
    select id, action, actor_id, user_id, session_id, host(ip) as ip, user_agent, request_id, details,
      ${createdAt(sql)} as created_at
    from audit_logs entry
    where true
      ${userId ? sql`and user_id = ${userId}` : sql``}
      ${actorId ? sql`and actor_id = ${actorId}` : sql``}
      ${action ? sql`and action = ${action}` : sql``}
      ${pageOf(sql, filters)}`
}

interface LoginAttemptFilters extends Page {
  email?: string | undefined
  ip?: string | undefined
  user_id?: string | undefined
  outcome?: 'succeeded' | 'failed' | undefined
}

export async function selectLoginAttempts(
  sql: Queryable,
  filters: LoginAttemptFilters,
): Promise<LoginAttemptItem[]> {
  const { email, ip, user_id: userId, outcome } = filters
  // The index of login_attempts has the collation of the database.
  const byEmail = email && sql`and lower(email) = (${foldedEmail(sql, email)} collate "default")`
  return sql<LoginAttemptItem[]>`
    select id, email, user_id, host(ip) as ip, user_agent,
      case when succeeded then 'succeeded' else 'failed' end as outcome, reason,
      ${createdAt(sql)} as created_at
    from login_attempts entry
    where true
      ${byEmail || sql``}
      ${ip ? sql`and ip = ${ip}::inet` : sql``}
      ${userId ? sql`and user_id = ${userId}` : sql``}
      ${outcome ? sql`and succeeded = ${outcome === 'succeeded'}` : sql``}
      ${pageOf(sql, filters)}`
}

interface RateLimitLogFilters extends Page {
  key?: string | undefined
  class?: string | undefined
}

export async function selectRateLimitLogs(
  sql: Queryable,
  filters: RateLimitLogFilters,
): Promise<RateLimitLogItem[]> {
  const { key, class: limitClass } = filters
  return sql<RateLimitLogItem[]>`
    select id, limit_class as class, limit_key as key, method, route, refused as count, report_only,
      ${createdAt(sql)} as created_at
    from rate_limit_logs entry
    where true
      ${key ? sql`and limit_key = ${key}` : sql``}
      ${limitClass ? sql`and limit_class = ${limitClass}` : sql``}
      ${pageOf(sql, filters)}`
}

import type { AuditLogItem, LoginAttemptItem, RateLimitLogItem } from '../../shared/contract.ts'
import { foldedEmail } from '../db/folded-email.ts'
import type { Queryable } from '../db/types.ts'
import { createdAt, type Page, pageOf } from './page.ts'

interface AuditLogFilters extends Page {
  user_id?: string | undefined
  actor_id?: string | undefined
  /** Of an account that the events concern, or that did them. */
  email?: string | undefined
  action?: string | undefined
}

/**
 * The events of one account are two scans of an index, merged: a condition with `or` would read all
 * events of the period.
 */
export async function selectAuditLogs(sql: Queryable, filters: AuditLogFilters): Promise<AuditLogItem[]> {
  const { user_id: userId, actor_id: actorId, email, action, limit } = filters
  const entries = (condition = sql``) => sql`
    select * from audit_logs entry
    where true
      ${userId ? sql`and user_id = ${userId}` : sql``}
      ${actorId ? sql`and actor_id = ${actorId}` : sql``}
      ${action ? sql`and action = ${action}` : sql``}
      ${condition}
      ${pageOf(sql, filters)}`
  const ofAccount = (address: string) => {
    const account = sql`(select id from user_accounts where ${foldedEmail(sql, sql`email`)} = ${foldedEmail(sql, address)})`
    return sql`
      (${entries(sql`and user_id = ${account}`)})
      union (${entries(sql`and actor_id = ${account}`)})`
  }
  return sql<AuditLogItem[]>`
    select entry.id, action, actor_id, actor.email as actor_email, user_id, subject.email as user_email,
      session_id, host(ip) as ip, user_agent, request_id, details, ${createdAt(sql, sql`entry.created_at`)} as created_at
    from (${email ? ofAccount(email) : entries()}) entry
    left join user_accounts actor on actor.id = entry.actor_id
    left join user_accounts subject on subject.id = entry.user_id
    order by entry.created_at desc, entry.id desc
    limit ${limit + 1}`
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

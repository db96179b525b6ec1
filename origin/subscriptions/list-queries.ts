import type { Queryable } from '../db/types.ts'
import type { Subscription, SubscriptionStatus } from './queries.ts'

export interface SubscriptionFilters {
  plan?: string | undefined
  status?: SubscriptionStatus | undefined
  user_id?: string | undefined
}

export interface SubscriptionRow extends Subscription {
  /** A bigint. */
  id: string
  userId: string
  email: string
  endedAt: Date | null
  createdAt: Date
}

/** Above every id. */
const beyond = '9223372036854775807'

/**
 * All subscriptions, current and former, the newest first.
 *
 * @param before the last id of the previous page
 */
export async function selectSubscriptionPage(
  sql: Queryable,
  filters: SubscriptionFilters,
  { before = beyond, limit }: { before: string | undefined; limit: number },
): Promise<SubscriptionRow[]> {
  const { where, order } = pageOf(sql, filters, before)
  return sql<SubscriptionRow[]>`
    select subscription.id, subscription.user_id as "userId", account.email, plan.name as plan, subscription.status,
      period_started_at as "periodStartedAt", period_ends_at as "periodEndsAt",
      cancel_at_period_end as "cancelAtPeriodEnd", ended_at as "endedAt", subscription.created_at as "createdAt"
    from (select * from user_subscriptions where ${where} order by ${order} limit ${limit + 1}) as subscription
    join subscription_plans plan on plan.id = subscription.plan_id
    join user_accounts account on account.id = subscription.user_id
    order by subscription.id desc`
}

/**
 * The range of a page in the index of its filters. Filters are bounds of the whole index key: with
 * plain equalities Postgres scans the ids instead, through all rows where a plan has few.
 */
function pageOf(sql: Queryable, { plan, status, user_id: userId }: SubscriptionFilters, before: string) {
  const planId = sql`(select id from subscription_plans where name = ${plan ?? null})`
  if (userId) {
    return {
      where: sql`user_id = ${userId} and id < ${before}
        ${plan ? sql`and plan_id = ${planId}` : sql``} ${status ? sql`and status = ${status}` : sql``}`,
      order: sql`id desc`,
    }
  }
  if (plan && status) {
    return {
      where: sql`(plan_id, status, id) > (${planId}, ${status}, 0)
        and (plan_id, status, id) < (${planId}, ${status}, ${before})`,
      order: sql`plan_id desc, status desc, id desc`,
    }
  }
  if (plan) {
    return {
      where: sql`(plan_id, id) > (${planId}, 0) and (plan_id, id) < (${planId}, ${before})`,
      order: sql`plan_id desc, id desc`,
    }
  }
  if (status) {
    return {
      where: sql`(status, id) > (${status}, 0) and (status, id) < (${status}, ${before})`,
      order: sql`status desc, id desc`,
    }
  }
  return { where: sql`id < ${before}`, order: sql`id desc` }
}

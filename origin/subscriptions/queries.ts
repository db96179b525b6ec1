import type { Queryable, Transaction } from '../db/types.ts'

export type SubscriptionStatus = 'active' | 'past_due' | 'canceled'

export interface Subscription {
  plan: string
  status: SubscriptionStatus
  periodStartedAt: Date
  periodEndsAt: Date | null
  cancelAtPeriodEnd: boolean
}

/**
 * The current time of the database, which is later than the transaction's start where it has waited
 * for a lock.
 */
export async function selectClock(sql: Transaction): Promise<Date> {
  const [row] = await sql<[{ now: Date }]>`select clock_timestamp() as now`
  return row.now
}

/** The id of a plan, which is not removed before the transaction ends. */
export async function lockPlanId(sql: Transaction, name: string): Promise<number | undefined> {
  const [row] = await sql<[{ id: number }?]>`
    select id from subscription_plans where name = ${name} for key share`
  return row?.id
}

/** The current subscription in any status. */
export async function selectCurrentSubscription(
  sql: Queryable,
  userId: string,
): Promise<(Subscription & { lapsed: boolean }) | undefined> {
  const [row] = await sql<[(Subscription & { lapsed: boolean })?]>`
    select plan.name as plan, subscription.status, period_started_at as "periodStartedAt",
      period_ends_at as "periodEndsAt", cancel_at_period_end as "cancelAtPeriodEnd",
      coalesce(period_ends_at <= now(), false) as lapsed
    from user_subscriptions subscription join subscription_plans plan on plan.id = subscription.plan_id
    where user_id = ${userId} and ended_at is null`
  return row
}

/** Ends the current subscription, which stays as history, and inserts a new one. */
export async function insertCurrentSubscription(
  sql: Transaction,
  userId: string,
  planId: number,
  next: Subscription,
): Promise<void> {
  await sql`
    update user_subscriptions set ended_at = clock_timestamp() where user_id = ${userId} and ended_at is null`
  await sql`
    insert into user_subscriptions (
      user_id, plan_id, status, period_started_at, period_ends_at, cancel_at_period_end
    )
    values (${userId}, ${planId}, ${next.status}, ${next.periodStartedAt}, ${next.periodEndsAt},
      ${next.cancelAtPeriodEnd})`
}

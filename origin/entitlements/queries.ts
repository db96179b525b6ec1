import type { Queryable } from '../db/types.ts'

/** The role, plan, permissions and features of an account, as in its next access token. */
export interface Entitlements {
  email: string
  role: string
  level: number
  permissions: string[]
  plan: string
  features: string[]
  /** API requests an hour. */
  quota: number
  epoch: { user: number; role: number; plan: number }
  /**
   * Seconds until the paid period ends; null where it has no end.
   */
  secondsLeft: number | null
}

/** The columns of `Entitlements`, for a query that joins `entitlementTables` to its `account`. */
export const entitlementColumns = (sql: Queryable) => sql`
  account.email,
  role.name as role,
  role.level,
  array(
    select permission.name from role_permissions
    join permissions permission on permission.id = role_permissions.permission_id
    where role_permissions.role_id = role.id
    order by permission.name
  ) as permissions,
  plan.name as plan,
  array(
    select feature.name from plan_features
    join features feature on feature.id = plan_features.feature_id
    where plan_features.plan_id = plan.id
    order by feature.name
  ) as features,
  plan.api_quota_per_hour as quota,
  json_build_object('user', account.epoch, 'role', role.epoch, 'plan', plan.epoch) as epoch,
  extract(epoch from subscription.period_ends_at - clock_timestamp())::float8 as "secondsLeft"`

/**
 * Base tables only, so that a new token is never stale. An account whose subscription lapsed, was
 * canceled or is missing has the plan of rank 0.
 */
export const entitlementTables = (sql: Queryable) => sql`
  join roles role on role.id = account.role_id
  left join user_subscriptions subscription
    on subscription.user_id = account.id
    and subscription.ended_at is null
    and subscription.status = 'active'
    and (subscription.period_ends_at is null or subscription.period_ends_at > now())
  join subscription_plans plan
    on plan.id = coalesce(subscription.plan_id, (select id from subscription_plans where rank = 0))`

/** @returns undefined where the account is gone or disabled */
export async function selectEntitlements(sql: Queryable, userId: string): Promise<Entitlements | undefined> {
  const [row] = await sql<[Entitlements?]>`
    select ${entitlementColumns(sql)}
    from user_accounts account ${entitlementTables(sql)}
    where account.id = ${userId} and account.status = 'active'`
  return row
}

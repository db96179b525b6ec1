import type { Sql } from '../../../origin/db/types.ts'
import type { Entitlements } from '../../../origin/entitlements/queries.ts'

/**
 * Entitlements of an account in the naive form: one query each, in sequence, as each needs the one
 * before. The result is that of `selectEntitlements`.
 */
export async function selectEntitlementsPlainly(sql: Sql, userId: string): Promise<Entitlements | undefined> {
  const [account] = await sql`
    select email, role_id as "roleId", epoch from user_accounts where id = ${userId} and status = 'active'`
  if (!account) return undefined
  const [role] = await sql`select name, level, epoch from roles where id = ${account.roleId}`
  const permissions = await sql`
    select permission.name from role_permissions
    join permissions permission on permission.id = role_permissions.permission_id
    where role_permissions.role_id = ${account.roleId}
    order by permission.name`
  const [subscription] = await sql`
    select plan_id as "planId", extract(epoch from period_ends_at - clock_timestamp())::float8 as "secondsLeft"
    from user_subscriptions
    where user_id = ${userId} and ended_at is null and status = 'active'
      and (period_ends_at is null or period_ends_at > now())`
  const [plan] = subscription
    ? await sql`select id, name, api_quota_per_hour as quota, epoch from subscription_plans where id = ${subscription.planId}`
    : await sql`select id, name, api_quota_per_hour as quota, epoch from subscription_plans where rank = 0`
  const features = await sql`
    select feature.name from plan_features
    join features feature on feature.id = plan_features.feature_id
    where plan_features.plan_id = ${plan?.id}
    order by feature.name`
  return {
    email: account.email,
    role: role?.name,
    level: role?.level,
    permissions: permissions.map(({ name }) => name),
    plan: plan?.name,
    features: features.map(({ name }) => name),
    quota: plan?.quota,
    epoch: { user: account.epoch, role: role?.epoch, plan: plan?.epoch },
    secondsLeft: subscription?.secondsLeft ?? null,
  }
}

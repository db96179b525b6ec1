import type { Queryable, Transaction } from '../db/types.ts'
import type { Catalogue, Feature, Permission, Plan, Role } from './catalogue.ts'

/** Any number that nothing else locks. */
const catalogueLock = '4148305193'

/**
 * Takes the lock of changes of the catalogue until the transaction ends. Two changes that fit each
 * by itself may be too much together: the second sees what the first left.
 */
export async function lockCatalogue(sql: Transaction): Promise<Catalogue> {
  await sql`select pg_advisory_xact_lock(${catalogueLock})`
  return selectCatalogue(sql)
}

export async function selectCatalogue(sql: Queryable): Promise<Catalogue> {
  const permissions = await sql<
    Permission[]
  >`select name, description from permissions order by name collate "C"`
  const roles = await sql<Role[]>`
    select name, level, description, is_default as "isDefault",
      array(
        select permission.name from role_permissions
        join permissions permission on permission.id = role_permissions.permission_id
        where role_permissions.role_id = role.id
        order by permission.name collate "C"
      ) as permissions
    from roles role order by level, name collate "C"`
  const features = await sql<Feature[]>`select name, description from features order by name collate "C"`
  const plans = await sql<Plan[]>`
    select name, title, price_cents_per_month as "priceCentsPerMonth", currency,
      api_quota_per_hour as "apiQuotaPerHour",
      array(
        select feature.name from plan_features
        join features feature on feature.id = plan_features.feature_id
        where plan_features.plan_id = plan.id
        order by feature.name collate "C"
      ) as features
    from subscription_plans plan order by rank`
  return { permissions: [...permissions], roles: [...roles], features: [...features], plans: [...plans] }
}

/**
 * Waits for transactions that give one of the roles or plans to an account, and makes later ones
 * wait.
 */
export async function lockForRemoval(
  sql: Transaction,
  { roles, plans }: { roles: string[]; plans: string[] },
): Promise<void> {
  await sql`select from roles where name = any(${roles}) order by id for update`
  await sql`select from subscription_plans where name = any(${plans}) order by id for update`
}

/** How many accounts have each of the roles; those without an account are left out. */
export async function countAccounts(
  sql: Transaction,
  roles: string[],
): Promise<{ name: string; count: number }[]> {
  return sql<{ name: string; count: number }[]>`
    select role.name, count(*)::integer as count
    from roles role join user_accounts account on account.role_id = role.id
    where role.name = any(${roles})
    group by role.name order by role.name`
}

/** How many subscriptions each of the plans has, past ones among them: those are never deleted. */
export async function countSubscriptions(
  sql: Transaction,
  plans: string[],
): Promise<{ name: string; count: number }[]> {
  return sql<{ name: string; count: number }[]>`
    select plan.name, count(*)::integer as count
    from subscription_plans plan join user_subscriptions subscription on subscription.plan_id = plan.id
    where plan.name = any(${plans})
    group by plan.name order by plan.name`
}

export async function upsertPermissions(sql: Transaction, items: readonly Permission[]): Promise<void> {
  await sql`
    insert into permissions (name, description)
    select name, description from jsonb_to_recordset(${sql.json(items.map(({ name, description }) => ({ name, description })))}) as given (name text, description text)
    on conflict (name) do update set description = excluded.description`
}

export async function upsertFeatures(sql: Transaction, items: readonly Feature[]): Promise<void> {
  await sql`
    insert into features (name, description)
    select name, description from jsonb_to_recordset(${sql.json(items.map(({ name, description }) => ({ name, description })))}) as given (name text, description text)
    on conflict (name) do update set description = excluded.description`
}

/**
 * A role of a name that was removed before begins at its last epoch: gateways still reject tokens
 * of an earlier one.
 */
export async function insertRole(sql: Transaction, role: Role): Promise<void> {
  await sql`
    insert into roles (name, level, description, is_default, epoch)
    values (${role.name}, ${role.level}, ${role.description}, false,
      coalesce((select max(epoch) from revocations where scope = 'role' and subject = ${role.name}), 0))`
}

export async function updateRole(sql: Transaction, { name, level, description }: Role): Promise<void> {
  await sql`update roles set level = ${level}, description = ${description} where name = ${name}`
}

/** Gives new accounts another role from now on. */
export async function moveDefaultRole(sql: Transaction, name: string): Promise<void> {
  await sql`update roles set is_default = false where is_default and name <> ${name}`
  await sql`update roles set is_default = true where name = ${name} and not is_default`
}

export async function replaceRolePermissions(sql: Transaction, { name, permissions }: Role): Promise<void> {
  await sql`
    with role as (select id from roles where name = ${name}),
    wanted as (select id from permissions where name = any(${permissions})),
    removed as (
      delete from role_permissions
      where role_id = (select id from role) and permission_id not in (select id from wanted)
    )
    insert into role_permissions (role_id, permission_id)
    select role.id, wanted.id from role, wanted
    on conflict do nothing`
}

/** New plans get their rank from `replacePlanOrder`; until then one above all others. */
const firstNewRank = 20_000

/** As `insertRole`: a plan of a former name begins at its last epoch. */
export async function insertPlan(sql: Transaction, plan: Plan, position: number): Promise<void> {
  await sql`
    insert into subscription_plans
      (name, title, rank, price_cents_per_month, currency, api_quota_per_hour, epoch)
    values (${plan.name}, ${plan.title}, ${firstNewRank + position}, ${plan.priceCentsPerMonth}, ${plan.currency},
      ${plan.apiQuotaPerHour},
      coalesce((select max(epoch) from revocations where scope = 'plan' and subject = ${plan.name}), 0))`
}

export async function updatePlan(sql: Transaction, plan: Plan): Promise<void> {
  await sql`
    update subscription_plans set title = ${plan.title}, price_cents_per_month = ${plan.priceCentsPerMonth},
      currency = ${plan.currency}, api_quota_per_hour = ${plan.apiQuotaPerHour}
    where name = ${plan.name}`
}

export async function replacePlanFeatures(sql: Transaction, { name, features }: Plan): Promise<void> {
  await sql`
    with plan as (select id from subscription_plans where name = ${name}),
    wanted as (select id from features where name = any(${features})),
    removed as (
      delete from plan_features
      where plan_id = (select id from plan) and feature_id not in (select id from wanted)
    )
    insert into plan_features (plan_id, feature_id)
    select plan.id, wanted.id from plan, wanted
    on conflict do nothing`
}

/** Ranks are unique row by row: all plans leave theirs first. */
export async function replacePlanOrder(sql: Transaction, names: string[]): Promise<void> {
  await sql`update subscription_plans set rank = rank + 10000 where rank < 10000`
  await sql`
    update subscription_plans plan set rank = given.position - 1
    from unnest(${names}::text[]) with ordinality as given (name, position)
    where plan.name = given.name`
}

export async function deleteItems(
  sql: Transaction,
  table: 'permissions' | 'roles' | 'features' | 'subscription_plans',
  names: string[],
): Promise<void> {
  await sql`delete from ${sql(table)} where name = any(${names})`
}

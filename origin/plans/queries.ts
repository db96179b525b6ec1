import type { Queryable, Transaction } from '../db/types.ts'

export interface Plan {
  id: number
  name: string
  title: string
  rank: number
  priceCentsPerMonth: number
  currency: string
  apiQuotaPerHour: number
  /** By name. */
  features: string[]
}

const planColumns = (sql: Queryable) => sql`
  plan.id, plan.name, plan.title, plan.rank, plan.price_cents_per_month as "priceCentsPerMonth", plan.currency,
  plan.api_quota_per_hour as "apiQuotaPerHour",
  array(
    select feature.name from plan_features
    join features feature on feature.id = plan_features.feature_id
    where plan_features.plan_id = plan.id
    order by feature.name
  ) as features`

/** The names of all features and of all permissions. */
export async function selectNames(sql: Queryable): Promise<{ features: string[]; permissions: string[] }> {
  const [names] = await sql<[{ features: string[]; permissions: string[] }]>`
    select array(select name from features order by name) as features,
      array(select name from permissions order by name) as permissions`
  return names
}

/** All plans, the cheapest first. */
export async function selectPlans(sql: Queryable): Promise<Plan[]> {
  return sql<Plan[]>`select ${planColumns(sql)} from subscription_plans plan order by plan.rank`
}

export async function selectPlanPage(
  sql: Queryable,
  { after, limit }: { after: number; limit: number },
): Promise<Plan[]> {
  return sql<Plan[]>`
    select ${planColumns(sql)} from subscription_plans plan
    where plan.rank > ${after}
    order by plan.rank limit ${limit + 1}`
}

/**
 * Selects a plan and locks its row until the transaction ends: the second of two changes sees the
 * first.
 */
export async function lockPlanForUpdate(sql: Transaction, name: string): Promise<Plan | undefined> {
  await sql`select from subscription_plans where name = ${name} for no key update`
  const [plan] = await sql<[Plan?]>`
    select ${planColumns(sql)} from subscription_plans plan where plan.name = ${name}`
  return plan
}

export interface PlanChange {
  title?: string | undefined
  priceCentsPerMonth?: number | undefined
  apiQuotaPerHour?: number | undefined
}

export async function updatePlan(sql: Transaction, id: number, change: PlanChange): Promise<void> {
  await sql`
    update subscription_plans set
      title = coalesce(${change.title ?? null}, title),
      price_cents_per_month = coalesce(${change.priceCentsPerMonth ?? null}, price_cents_per_month),
      api_quota_per_hour = coalesce(${change.apiQuotaPerHour ?? null}, api_quota_per_hour)
    where id = ${id}`
}

/** Replaces the features of a plan. */
export async function replacePlanFeatures(
  sql: Transaction,
  id: number,
  features: readonly string[],
): Promise<void> {
  await sql`
    delete from plan_features using features feature
    where plan_features.plan_id = ${id} and feature.id = plan_features.feature_id
      and feature.name <> all(${[...features]})`
  await sql`
    insert into plan_features (plan_id, feature_id)
    select ${id}, id from features where name = any(${[...features]})
    on conflict do nothing`
}

/** The names that are features, in the order of a plan. */
export async function selectFeatureNames(sql: Queryable, names: readonly string[]): Promise<string[]> {
  const rows = await sql<
    { name: string }[]
  >`select name from features where name = any(${[...names]}) order by name`
  return rows.map(({ name }) => name)
}

export interface Feature {
  name: string
  description: string
}

export async function selectFeaturePage(
  sql: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<Feature[]> {
  return sql<Feature[]>`
    select name, description from features where name > ${after} order by name limit ${limit + 1}`
}

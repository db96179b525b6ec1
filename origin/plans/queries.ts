import type { Plan as CataloguePlan, Feature } from '../catalogue/catalogue.ts'
import type { Queryable } from '../db/types.ts'

export interface Plan extends CataloguePlan {
  /** From the cheapest up. */
  rank: number
}

const planColumns = (sql: Queryable) => sql`
  plan.name, plan.title, plan.rank, plan.price_cents_per_month as "priceCentsPerMonth", plan.currency,
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

export async function selectPlan(sql: Queryable, name: string): Promise<Plan | undefined> {
  const [plan] = await sql<[Plan?]>`
    select ${planColumns(sql)} from subscription_plans plan where plan.name = ${name}`
  return plan
}

export async function selectFeaturePage(
  sql: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<Feature[]> {
  return sql<Feature[]>`
    select name, description from features where name > ${after} order by name limit ${limit + 1}`
}

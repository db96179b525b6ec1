import {
  type Catalogue,
  type Feature,
  findByName,
  type Plan,
  withoutName,
  withReplaced,
} from '../catalogue/catalogue.ts'
import type { CatalogueEdit, EditConflict } from '../catalogue/edit.ts'

export type PlanEdit =
  | CatalogueEdit
  | EditConflict
  /** Indexes of the names that are no features. */
  | { kind: 'unknown_features'; positions: number[] }

/** A change of the plans and features of a catalogue. */
export type EvaluatePlanEdit = (catalogue: Catalogue) => PlanEdit

/** The members of a plan that can change. */
const auditedPlan = ({ title, priceCentsPerMonth, apiQuotaPerHour, features }: Plan) => ({
  title,
  price_cents_per_month: priceCentsPerMonth,
  api_quota_per_hour: apiQuotaPerHour,
  features,
})

const unknownPositions = ({ features }: Catalogue, names: readonly string[]) =>
  names.flatMap((name, index) => (findByName(features, name) ? [] : [index]))

const inOrder = (names: readonly string[]) => [...new Set(names)].toSorted()

/**
 * @param rank the plan's place from the cheapest up, never the first; undefined for the last one
 */
export const createPlan =
  (given: Plan, rank?: number): EvaluatePlanEdit =>
  (catalogue) => {
    const positions = unknownPositions(catalogue, given.features)
    if (positions.length > 0) return { kind: 'unknown_features', positions }
    if (findByName(catalogue.plans, given.name)) return { kind: 'name_taken' }
    const plan = { ...given, features: inOrder(given.features) }
    const details = { plan: plan.name, after: { ...auditedPlan(plan), currency: plan.currency } }
    return {
      kind: 'edit',
      after: { ...catalogue, plans: catalogue.plans.toSpliced(rank ?? catalogue.plans.length, 0, plan) },
      audit: { action: 'plan.created', details },
    }
  }

export interface PlanChange {
  title?: string | undefined
  priceCentsPerMonth?: number | undefined
  apiQuotaPerHour?: number | undefined
}

/** Fields that were not sent stay unchanged. */
export const changePlan =
  (name: string, change: PlanChange): EvaluatePlanEdit =>
  (catalogue) => {
    const before = findByName(catalogue.plans, name)
    if (!before) return { kind: 'unknown_item' }
    const after: Plan = {
      ...before,
      title: change.title ?? before.title,
      priceCentsPerMonth: change.priceCentsPerMonth ?? before.priceCentsPerMonth,
      apiQuotaPerHour: change.apiQuotaPerHour ?? before.apiQuotaPerHour,
    }
    return replacePlan(catalogue, before, after, 'plan.changed')
  }

export const setPlanFeatures =
  (name: string, features: readonly string[]): EvaluatePlanEdit =>
  (catalogue) => {
    const before = findByName(catalogue.plans, name)
    if (!before) return { kind: 'unknown_item' }
    const positions = unknownPositions(catalogue, features)
    if (positions.length > 0) return { kind: 'unknown_features', positions }
    return replacePlan(catalogue, before, { ...before, features: inOrder(features) }, 'plan.features_changed')
  }

function replacePlan(
  catalogue: Catalogue,
  before: Plan,
  after: Plan,
  action: 'plan.changed' | 'plan.features_changed',
): CatalogueEdit {
  const details = { plan: before.name, before: auditedPlan(before), after: auditedPlan(after) }
  return {
    kind: 'edit',
    after: { ...catalogue, plans: withReplaced(catalogue.plans, after) },
    audit: { action, details },
  }
}

export const removePlan =
  (name: string): EvaluatePlanEdit =>
  (catalogue) => {
    const plan = findByName(catalogue.plans, name)
    if (!plan) return { kind: 'unknown_item' }
    if (catalogue.plans[0] === plan) return { kind: 'in_use', by: 'accounts_without_subscription' }
    const details = { plan: name, before: { ...auditedPlan(plan), currency: plan.currency } }
    return {
      kind: 'edit',
      after: { ...catalogue, plans: withoutName(catalogue.plans, name) },
      audit: { action: 'plan.removed', details },
    }
  }

export const createFeature =
  ({ name, description }: Feature): EvaluatePlanEdit =>
  (catalogue) => {
    if (findByName(catalogue.features, name)) return { kind: 'name_taken' }
    const details = { feature: name, after: { description } }
    return {
      kind: 'edit',
      after: { ...catalogue, features: [...catalogue.features, { name, description }] },
      audit: { action: 'feature.created', details },
    }
  }

export const changeFeature =
  ({ name, description }: Feature): EvaluatePlanEdit =>
  (catalogue) => {
    const before = findByName(catalogue.features, name)
    if (!before) return { kind: 'unknown_item' }
    const details = { feature: name, before: { description: before.description }, after: { description } }
    return {
      kind: 'edit',
      after: { ...catalogue, features: withReplaced(catalogue.features, { name, description }) },
      audit: { action: 'feature.changed', details },
    }
  }

export const removeFeature =
  (name: string): EvaluatePlanEdit =>
  (catalogue) => {
    const feature = findByName(catalogue.features, name)
    if (!feature) return { kind: 'unknown_item' }
    const count = catalogue.plans.filter(({ features }) => features.includes(name)).length
    if (count > 0) return { kind: 'in_use', by: 'plans', count }
    const details = { feature: name, before: { description: feature.description } }
    return {
      kind: 'edit',
      after: { ...catalogue, features: withoutName(catalogue.features, name) },
      audit: { action: 'feature.removed', details },
    }
  }

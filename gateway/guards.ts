import type { Identity } from '../shared/claims.ts'
import { judgeRights, type Rights, rightsProblem } from '../shared/rights.ts'
import { upgradeUrl } from '../shared/upgrade-url.ts'
import type { Plans } from './plans.ts'

interface GuardsOptions {
  plans: Pick<Plans, 'cheapestWith'>
  /** Where a plan is bought. */
  upgradePage: string
}

/** Holds callers against what a row asks for, and tells those whose plan lacks a feature which one has it. */
export function createRequireRights({ plans, upgradePage }: GuardsOptions) {
  function offer(features: readonly string[]) {
    const plan = plans.cheapestWith(features)
    return {
      ...(plan !== undefined && { minimum_plan: plan }),
      upgrade_url: upgradeUrl(upgradePage, plan),
    }
  }

  /** @throws Problem `permission_required`, `level_required`, `feature_required` */
  return function requireRights(rights: Rights, identity: Identity): void {
    const problem = rightsProblem(judgeRights(rights, identity), offer)
    if (problem) throw problem
  }
}

export type RequireRights = ReturnType<typeof createRequireRights>

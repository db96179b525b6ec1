import { authorizationProblem, evaluateAuthorization } from '../../shared/auth/authorization.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { upgradeUrl } from '../../shared/http/upgrade-url.ts'
import type { Route } from './policy.ts'

/** Somebody signed in who asked for what their role may not do. */
export interface Denied {
  identity: Identity
  code: DenialCode
  method: string
  /** Of the row. */
  path: string
}

type DenialCode = 'permission_required' | 'level_required'

interface AuthorizeOptions {
  plans: {
    /** @returns null where no plan has these features, undefined where no plan is known */
    cheapestWith(features: readonly string[]): string | null | undefined
  }
  /** Where a plan is bought. */
  upgradePage: string
  /** A plan that lacks a feature is an offer, not a denial. */
  onDenied: (denied: Denied) => void
}

/**
 * Holds callers against what a row asks for, and tells those whose plan lacks a feature which one
 * has it.
 */
export function createAuthorize({ plans, upgradePage, onDenied }: AuthorizeOptions) {
  function offer(features: readonly string[]) {
    const plan = plans.cheapestWith(features)
    return {
      ...(plan !== undefined && { minimum_plan: plan }),
      upgrade_url: upgradeUrl(upgradePage, plan),
    }
  }

  /** @throws Problem `permission_required`, `level_required`, `feature_required` */
  return function authorize(route: Route, identity: Identity): void {
    const problem = authorizationProblem(evaluateAuthorization(route, identity), offer)
    if (!problem) return
    const { code } = problem
    if (code === 'permission_required' || code === 'level_required')
      onDenied({ identity, code, method: route.method, path: route.path })
    throw problem
  }
}

export type Authorize = ReturnType<typeof createAuthorize>

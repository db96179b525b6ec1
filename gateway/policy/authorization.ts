import { authorizationProblem, evaluateAuthorization } from '../../shared/auth/authorization.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { upgradeUrl } from '../../shared/http/upgrade-url.ts'
import type { CompiledRow } from './policy.ts'

/** A signed-in user without the required permission or level. */
export interface Denied {
  identity: Identity
  code: DenialCode
  method: string
  /** Path of the row. */
  path: string
}

type DenialCode = 'permission_required' | 'level_required'

interface OfferOptions {
  plans: {
    /** @returns null where no plan has these features, undefined before the plans are known */
    cheapestWith(features: readonly string[]): string | null | undefined
  }
  /** Page to buy a plan. */
  upgradePage: string
}

interface AuthorizeOptions extends OfferOptions {
  /** A missing feature leads to an upgrade, so it is not reported as a denial. */
  onDenied: (denied: Denied) => void
}

/** Members of a rejection that name the plan with these features, and the page to buy it. */
export const createOffer = ({ plans, upgradePage }: OfferOptions) =>
  function offer(features: readonly string[]) {
    const plan = plans.cheapestWith(features)
    return {
      ...(plan !== undefined && { minimum_plan: plan }),
      upgrade_url: upgradeUrl(upgradePage, plan),
    }
  }

/**
 * Checks callers against the requirements of a row, and names the plan that has a missing feature.
 */
export function createAuthorize({ plans, upgradePage, onDenied }: AuthorizeOptions) {
  const offer = createOffer({ plans, upgradePage })

  /** @throws Problem `permission_required`, `level_required`, `feature_required` */
  return function authorize(row: CompiledRow, identity: Identity): void {
    const problem = authorizationProblem(evaluateAuthorization(row, identity), offer)
    if (!problem) return
    const { code } = problem
    if (code === 'permission_required' || code === 'level_required')
      onDenied({ identity, code, method: row.method, path: row.path })
    throw problem
  }
}

export type Authorize = ReturnType<typeof createAuthorize>

import { createMiddleware } from 'hono/factory'
import { type Assurance, assuranceProblem, evaluateAssurance } from '../../shared/auth/assurance.ts'
import type { Now } from '../../shared/lib/time.ts'
import type { Sql } from '../db/types.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { selectFactors } from './queries.ts'
import { hasSecondFactor } from './rules.ts'

interface RequireStepUpOptions {
  sql: Sql
  /** The most seconds since the session was authenticated. */
  maxAgeSeconds: number
  now?: Now
}

/**
 * For an account without a second factor. `recent`: its session was authenticated lately, by the
 * password. `any`: any session, where the request itself carries the password or gives no right of
 * administration. `refused`: it adds a factor first.
 */
type WithoutFactor = 'recent' | 'any' | 'refused'

/**
 * Requires a session that its user has authenticated lately, with the second factor where the
 * account has one.
 *
 * @throws Problem `token_missing`, `step_up_required`
 */
export function createRequireStepUp({ sql, maxAgeSeconds, now = Date.now }: RequireStepUpOptions) {
  async function requirementsFor(userId: string, withoutFactor: WithoutFactor): Promise<Assurance> {
    const recent = { max_age_seconds: maxAgeSeconds }
    if (withoutFactor === 'refused' || hasSecondFactor(await selectFactors(sql, userId)))
      return { acr: 'aal2', ...recent }
    return withoutFactor === 'any' ? {} : recent
  }

  return (withoutFactor: WithoutFactor = 'recent') =>
    createMiddleware<OriginEnv>(async function requireStepUp(c, next) {
      const user = requireUser(c.get('user'))
      const required = await requirementsFor(user.sub, withoutFactor)
      const problem = assuranceProblem(evaluateAssurance(required, user, Math.floor(now() / 1000)))
      if (problem) throw problem
      await next()
    })
}

export type RequireStepUp = ReturnType<typeof createRequireStepUp>

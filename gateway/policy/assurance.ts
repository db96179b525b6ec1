import { type AssuranceOutcome, assuranceProblem, evaluateAssurance } from '../../shared/auth/assurance.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import type { Now } from '../ports.ts'
import type { CompiledRow } from './policy.ts'

interface AssuranceOptions {
  /** Roles from this level up need aal2 on every row but those before an enrolment. */
  aal2FromLevel: number | undefined
  now: Now
}

/** Checks how, and how long ago, callers were authenticated, against the requirements of a row. */
export function createThrowIfInsufficient({
  aal2FromLevel = Number.POSITIVE_INFINITY,
  now,
}: AssuranceOptions) {
  const evaluate = (row: CompiledRow, identity: Identity): AssuranceOutcome =>
    identity.level >= aal2FromLevel && identity.acr !== 'aal2' && !row.before_enrolment
      ? { kind: 'insufficient', acr: 'aal2', maxAgeSeconds: row.max_age_seconds }
      : evaluateAssurance(row, identity, Math.floor(now() / 1000))

  /** @throws Problem `step_up_required` */
  return function throwIfInsufficient(row: CompiledRow, identity: Identity): void {
    // Most requests need neither, and read no clock.
    if (row.acr === undefined && row.max_age_seconds === undefined && identity.level < aal2FromLevel) return
    const problem = assuranceProblem(evaluate(row, identity))
    if (problem) throw problem
  }
}

export type ThrowIfInsufficient = ReturnType<typeof createThrowIfInsufficient>

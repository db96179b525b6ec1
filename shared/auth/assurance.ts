import * as z from 'zod'
import { Problem } from '../http/errors.ts'
import type { EpochSeconds } from '../lib/time.ts'
import type { Acr, Identity } from './claims.ts'

/** Requirements on how, and how long ago, a caller was authenticated. All of them must hold. */
export const assuranceShape = {
  acr: z.literal('aal2').optional(),
  /** Seconds since `auth_time`. */
  max_age_seconds: z.int().min(1).max(2_592_000).optional(),
}

const assuranceSchema = z.strictObject(assuranceShape)

export type Assurance = z.output<typeof assuranceSchema>

export type AssuranceOutcome =
  | { kind: 'sufficient' }
  /** The session has to reach `acr`, and to be authenticated within `maxAgeSeconds`. */
  | { kind: 'insufficient'; acr: Acr | undefined; maxAgeSeconds: number | undefined }

/** Evaluates the requirements against the claims alone. */
export function evaluateAssurance(
  { acr, max_age_seconds: maxAgeSeconds }: Assurance,
  identity: Pick<Identity, 'acr' | 'auth_time'>,
  nowSeconds: EpochSeconds,
): AssuranceOutcome {
  const isTooLow = acr !== undefined && identity.acr !== acr
  const isTooOld = maxAgeSeconds !== undefined && nowSeconds - identity.auth_time > maxAgeSeconds
  return isTooLow || isTooOld ? { kind: 'insufficient', acr, maxAgeSeconds } : { kind: 'sufficient' }
}

/**
 * The rejection of a request: the challenge of RFC 9470, section 3, and the same in members.
 *
 * @returns undefined where the assurance is sufficient
 */
export function assuranceProblem(outcome: AssuranceOutcome): Problem | undefined {
  if (outcome.kind === 'sufficient') return undefined
  const { acr, maxAgeSeconds } = outcome
  const parameters = [
    'error="insufficient_user_authentication"',
    ...(acr === undefined ? [] : [`acr_values="${acr}"`]),
    ...(maxAgeSeconds === undefined ? [] : [`max_age="${maxAgeSeconds}"`]),
  ]
  return new Problem('step_up_required', {
    members: {
      ...(acr !== undefined && { acr_values: acr }),
      ...(maxAgeSeconds !== undefined && { max_age: maxAgeSeconds }),
    },
    headers: { 'www-authenticate': `Bearer ${parameters.join(', ')}` },
  })
}

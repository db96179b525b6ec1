import { type Context, Hono } from 'hono'
import { factors as contract } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import type { RequireStepUp } from './assurance.ts'
import type { ConfirmOutcome, FactorService } from './service.ts'
import type { StepUpOutcome, StepUpService } from './step-up.ts'

interface FactorRoutesOptions {
  factors: FactorService
  stepUps: StepUpService
  requireStepUp: RequireStepUp
}

const { stepUp, readFactors, enrolTotp, confirmTotp, removeTotp, createRecoveryCodes } = contract.endpoints
const signedIn = requireAuthorization({})

export function createFactorRoutes({ factors, stepUps, requireStepUp }: FactorRoutesOptions) {
  const routes = new Hono<OriginEnv>()
  const steppedUp = requireStepUp()

  serve(routes, stepUp, signedIn, async ({ body, respond }, c) =>
    respond(requireSteppedUp(await stepUps.stepUp(ownerOf(c), body, c.get('context')))),
  )

  serve(routes, readFactors, signedIn, async ({ respond }, c) => {
    const { totpSince, recoveryCodesLeft } = await factors.read(ownerOf(c).userId)
    return respond({
      totp: totpSince && { created_at: totpSince.toISOString() },
      recovery_codes_left: recoveryCodesLeft,
    })
  })

  serve(routes, enrolTotp, steppedUp, async ({ respond }, c) => {
    const { secret, uri, qrSvg, expiresAt } = await factors.enrolTotp(ownerOf(c))
    return respond({ secret, uri, qr_svg: qrSvg, expires_at: expiresAt.toISOString() })
  })

  serve(routes, confirmTotp, steppedUp, async ({ body, respond }, c) => {
    const outcome = await factors.confirmTotp(ownerOf(c), body.code, c.get('context'))
    const { recoveryCodes, tokens } = requireConfirmed(outcome)
    return respond({ recovery_codes: recoveryCodes, ...tokens })
  })

  serve(routes, removeTotp, steppedUp, async ({ respond }, c) => {
    if (!(await factors.removeTotp(ownerOf(c), c.get('context')))) throw new Problem('not_found')
    return respond()
  })

  serve(routes, createRecoveryCodes, steppedUp, async ({ respond }, c) => {
    const codes = await factors.createRecoveryCodes(ownerOf(c), c.get('context'))
    if (!codes) throw new Problem('not_found')
    return respond({ recovery_codes: codes })
  })

  return routes
}

function ownerOf(c: Context<OriginEnv>) {
  const { sub, sid, email, amr } = requireUser(c.get('user'))
  return { userId: sub, sessionId: sid, email, amr }
}

/** @throws Problem `password_wrong`, `code_wrong`, `session_ended`, `mfa_required` */
function requireSteppedUp(outcome: StepUpOutcome) {
  switch (outcome.kind) {
    case 'stepped_up':
      return outcome.tokens
    case 'wrong_password':
      throw new Problem('password_wrong')
    case 'wrong_code':
      throw new Problem('code_wrong')
    case 'session_ended':
      throw new Problem('session_ended')
    case 'mfa_required':
      throw new Problem('mfa_required', { members: { factors: outcome.factors } })
  }
}

/** @throws Problem `code_wrong`, `enrolment_missing`, `session_ended` */
function requireConfirmed(outcome: ConfirmOutcome) {
  switch (outcome.kind) {
    case 'confirmed':
      return outcome
    case 'wrong_code':
      throw new Problem('code_wrong')
    case 'enrolment_missing':
      throw new Problem('enrolment_missing')
    case 'session_ended':
      throw new Problem('session_ended')
  }
}

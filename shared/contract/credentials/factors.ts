import * as z from 'zod'
import { defineEndpointGroup, noContent, ok } from '../../endpoint/endpoint.ts'
import { password, recoveryCode, totpCode, utcDateTime } from '../fields.ts'

/** Names of second factors. */
export const factorName = z.enum(['totp', 'recovery_code'])

export type FactorName = z.output<typeof factorName>

const stepUpBody = z.discriminatedUnion('factor', [
  z.strictObject({ factor: z.literal('password'), password }),
  z.strictObject({ factor: z.literal('totp'), code: totpCode }),
  z.strictObject({ factor: z.literal('recovery_code'), code: recoveryCode }),
])

/** An access token of a session whose authentication has changed; the refresh token stays. */
const steppedUp = {
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
}

export const steppedUpResponse = z.object(steppedUp).meta({ id: 'SteppedUp' })

export type SteppedUpResponse = z.output<typeof steppedUpResponse>

const recoveryCodes = z.array(z.string()).meta({ description: 'Shown this once; each works once.' })

/** `recovery_codes_left` counts the codes that were not used. */
const factorsResponse = z
  .object({
    totp: z.object({ created_at: utcDateTime }).nullable(),
    recovery_codes_left: z.int(),
  })
  .meta({ id: 'Factors' })

export const factors = defineEndpointGroup({
  name: 'Factors',
  description:
    'Second factors of the signed-in user, and step-up. A change needs a session that was authenticated within `STEP_UP_SECONDS`, with ' +
    'the second factor where the account has one: otherwise 401 `step_up_required`.',
  endpoints: {
    stepUp: {
      method: 'POST',
      path: '/auth/step-up',
      summary: 'Authenticate the session again',
      description:
        'Raises `acr`, `amr` and `auth_time` of the session. An account with a second factor presents it: its password alone is 403 ' +
        '`mfa_required`. The refresh token stays, and later access tokens keep the level.',
      body: stepUpBody,
      responses: ok('An access token of the new level.', steppedUpResponse),
      errors: ['password_wrong', 'code_wrong', 'mfa_required', 'session_ended', 'verifier_unavailable'],
    },
    readFactors: {
      method: 'GET',
      path: '/auth/factors',
      summary: 'Read the second factors of the caller',
      responses: ok('The factors.', factorsResponse),
    },
    enrolTotp: {
      method: 'POST',
      path: '/auth/factors/totp',
      summary: 'Begin to add an authenticator app',
      description:
        'Returns a new secret, as text, as `otpauth://` URI and as a QR code in SVG. It is no factor until a code confirms it, and ' +
        'expires after ten minutes.',
      responses: ok(
        'The secret.',
        z
          .object({ secret: z.string(), uri: z.string(), qr_svg: z.string(), expires_at: utcDateTime })
          .meta({ id: 'TotpEnrolment' }),
      ),
      errors: ['step_up_required'],
    },
    confirmTotp: {
      method: 'POST',
      path: '/auth/factors/totp/confirm',
      summary: 'Add the authenticator app by its first code',
      description:
        'Replaces a former app and former recovery codes. The session has two factors from then on: the access token says so.',
      body: z.strictObject({ code: totpCode }),
      responses: ok(
        'The recovery codes, and an access token of the new level.',
        z.object({ recovery_codes: recoveryCodes, ...steppedUp }).meta({ id: 'TotpConfirmed' }),
      ),
      errors: ['step_up_required', 'code_wrong', 'enrolment_missing', 'session_ended'],
    },
    removeTotp: {
      method: 'DELETE',
      path: '/auth/factors/totp',
      summary: 'Remove the authenticator app, and the recovery codes',
      responses: noContent('The account has no second factor.'),
      errors: ['step_up_required', 'not_found'],
    },
    createRecoveryCodes: {
      method: 'POST',
      path: '/auth/factors/recovery-codes',
      summary: 'Make new recovery codes in place of those from before',
      responses: ok('Ten codes.', z.object({ recovery_codes: recoveryCodes }).meta({ id: 'RecoveryCodes' })),
      errors: ['step_up_required', 'not_found'],
    },
  },
})

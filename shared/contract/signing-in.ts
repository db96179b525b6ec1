import * as z from 'zod'
import { defineEndpointGroup, defineEndpoints, noContent } from '../endpoint/endpoint.ts'
import { email, opaqueToken, password, recoveryCode, totpCode } from './fields.ts'
import { acceptedResponse, type ContractSettings, createPasswordEndpoints } from './passwords.ts'

/**
 * Where the refresh token goes: into the body or, for browsers, into a cookie that no script reads.
 */
const tokenDelivery = z.enum(['body', 'cookie']).default('body')

const loginBody = z.strictObject({
  email,
  password,
  token_delivery: tokenDelivery,
})

const factorLoginMembers = {
  mfa_token: opaqueToken,
  token_delivery: z.enum(['body', 'cookie']).default('body'),
  /** Whether this device may skip the second factor next time: for `MFA_DEVICE_SECONDS`. */
  remember_device: z.boolean().default(false),
}

const factorLoginBody = z.discriminatedUnion('factor', [
  z.strictObject({ factor: z.literal('totp'), code: totpCode, ...factorLoginMembers }),
  z.strictObject({ factor: z.literal('recovery_code'), code: recoveryCode, ...factorLoginMembers }),
])

/** RFC 6749, section 6, for the token alone; in cookie mode it comes by its cookie. */
const refreshBody = z.strictObject({ refresh_token: opaqueToken.optional() })

/** As long as the longest access token. */
const maxLegacyTokenLength = 8192

const exchangeBody = z.strictObject({
  legacy_token: z.string().min(1).max(maxLegacyTokenLength).optional(),
  token_delivery: tokenDelivery,
})

const logoutBody = z.strictObject({
  refresh_token: opaqueToken.optional(),
  everywhere: z.boolean().default(false),
})

/**
 * The password is the account's, as it was registered: the link alone does not tell who registered.
 */
const verifyEmailBody = z.strictObject({ token: opaqueToken, password })

const resendVerificationBody = z.strictObject({ email })

/** RFC 6749, section 5.1; `expires_in` in seconds. */
export const tokenResponse = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    refresh_token: z.string(),
  })
  .meta({ id: 'Tokens' })

export type TokenResponse = z.output<typeof tokenResponse>

/** In cookie mode: the refresh token is in its cookie alone. */
const cookieTokenResponse = tokenResponse.omit({ refresh_token: true }).meta({ id: 'AccessToken' })

const tokens = {
  200: {
    description: 'The tokens; in cookie mode without the refresh token, which is in its cookie.',
    schema: z.union([tokenResponse, cookieTokenResponse]),
    headers: ['Set-Cookie'],
  },
} as const

export const signingIn = defineEndpoints({
  verifyEmail: {
    method: 'POST',
    path: '/auth/email/verify',
    summary: 'Verify an address with the mailed link and the password of its registration',
    body: verifyEmailBody,
    responses: noContent('The address is verified.'),
    errors: ['link_invalid', 'password_wrong', 'verifier_unavailable'],
  },
  resendVerification: {
    method: 'POST',
    path: '/auth/email/resend',
    summary: 'Request another link to verify an address',
    description:
      'The response is the same whether or not the address has an account that is not verified. Three links of an account live at a ' +
      'time, 24 hours each.',
    body: resendVerificationBody,
    responses: { 202: { description: 'Accepted.', schema: acceptedResponse } },
  },
  login: {
    method: 'POST',
    path: '/auth/login',
    summary: 'Log in',
    description:
      'Unknown, wrong, locked and disabled get the same response. With `"token_delivery": "cookie"` the refresh token goes into a cookie that ' +
      'no script reads. An account with a second factor gets 403 `mfa_required`: `POST /auth/login/factor` finishes the login.',
    body: loginBody,
    responses: tokens,
    errors: [
      'invalid_credentials',
      'email_unverified',
      'mfa_required',
      'origin_not_allowed',
      'verifier_unavailable',
    ],
  },
  loginWithFactor: {
    method: 'POST',
    path: '/auth/login/factor',
    summary: 'Finish a login with a second factor',
    description:
      'A login of an account with a second factor, or an exchange of its former token, is 403 `mfa_required` with an `mfa_token` and the `factors`. The token finishes that one ' +
      'login within five minutes, on the device that has the same device cookie; five wrong codes or a new password end it.',
    body: factorLoginBody,
    responses: tokens,
    errors: ['code_wrong', 'mfa_token_invalid', 'origin_not_allowed'],
  },
  refresh: {
    method: 'POST',
    path: '/auth/refresh',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'Within `REFRESH_GRACE_SECONDS` the same token gets the same successor: two tabs, a lost response and a retry are safe. ' +
      'Later it does so at most `REFRESH_LATE_REPLAYS` times a session in 24 hours, and only while that successor was never used. ' +
      'Otherwise it is a stolen one, and its session ends.',
    body: refreshBody,
    responses: tokens,
    errors: ['refresh_missing', 'refresh_invalid', 'refresh_reused', 'origin_not_allowed'],
    credential: 'refreshCookie',
  },
  exchangeLegacyToken: {
    method: 'POST',
    path: '/auth/exchange',
    summary: 'Exchange a token of the former system for a session',
    description:
      'For the days of a migration: a JWT of an issuer of `LEGACY_ISSUERS` opens one session of the account that was imported with its id. ' +
      'Rights are those of that account; what the token says of rights is ignored. ' +
      'Unknown and disabled accounts get the response of an invalid token. Without `legacy_token` it is read from the cookie of the former system. ' +
      'An account with a second factor gets 403 `mfa_required`, as at a login, and the token is spent: `POST /auth/login/factor` opens the session.',
    body: exchangeBody,
    responses: tokens,
    errors: [
      'legacy_token_missing',
      'legacy_token_invalid',
      'legacy_token_without_exp',
      'legacy_token_spent',
      'legacy_issuer_ended',
      'mfa_required',
      'email_unverified',
      'origin_not_allowed',
      'keys_unavailable',
    ],
  },
  logout: {
    method: 'POST',
    path: '/auth/logout',
    summary: 'End the session, or all of them',
    body: logoutBody,
    responses: noContent('The session has ended.'),
    errors: ['refresh_missing', 'origin_not_allowed'],
    credential: 'refreshCookie',
  },
})

export const createSigningIn = (settings: ContractSettings) =>
  defineEndpointGroup({
    name: 'Signing in',
    description:
      'Accounts, tokens and passwords. An access token lives `expires_in` seconds, a refresh token is valid for one use.',
    endpoints: { ...signingIn, ...createPasswordEndpoints(settings) },
  })

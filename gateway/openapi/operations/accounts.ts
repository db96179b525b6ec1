import { z } from 'zod'
import {
  acceptedResponse,
  changePasswordBody,
  cookieTokenResponse,
  forgotPasswordBody,
  loginBody,
  logoutBody,
  meResponse,
  refreshBody,
  registerBody,
  resendVerificationBody,
  resetPasswordBody,
  sessionsResponse,
  tokenResponse,
  verifyEmailBody,
} from '../../../shared/contract.ts'
import type { OperationContract, Subject } from './contract.ts'
import { done, ok } from './responses.ts'

const minimumOf = (length: number) =>
  `A password has at least ${length} characters. One that is easily guessed, or contains the address, is refused with a code.`

const tokens: OperationContract['responses'] = {
  200: {
    description: 'The tokens; in cookie mode without the refresh token, which is in its cookie.',
    schema: z.union([tokenResponse, cookieTokenResponse]),
    headers: ['Set-Cookie'],
  },
}

export const createSigningIn = ({ passwordMinLength }: { passwordMinLength: number }): Subject => ({
  name: 'Signing in',
  description:
    'Accounts, tokens and passwords. An access token lives `expires_in` seconds, a refresh token is spent by its use.',
  operations: {
    'POST /auth/register': {
      id: 'register',
      summary: 'Register an account',
      description: `The answer is the same whether or not the address was free: its owner gets a mail. ${minimumOf(passwordMinLength)}`,
      body: registerBody(passwordMinLength),
      responses: { 202: { description: 'Taken in.', schema: acceptedResponse } },
    },
    'POST /auth/email/verify': {
      id: 'verifyEmail',
      summary: 'Verify an address by the mailed link and the password it was registered with',
      body: verifyEmailBody,
      responses: done('The address is verified.'),
      problems: ['link_invalid', 'password_wrong'],
    },
    'POST /auth/email/resend': {
      id: 'resendVerification',
      summary: 'Ask for another link to verify an address',
      description:
        'The answer is the same whether or not the address has an account that is not verified. Three links of an account live at a ' +
        'time, 24 hours each.',
      body: resendVerificationBody,
      responses: { 202: { description: 'Taken in.', schema: acceptedResponse } },
    },
    'POST /auth/login': {
      id: 'login',
      summary: 'Log in',
      description:
        'Unknown, wrong, locked and disabled look alike. With `"token_delivery": "cookie"` the refresh token goes into a cookie that ' +
        'no script reads.',
      body: loginBody,
      responses: tokens,
      problems: ['invalid_credentials', 'email_unverified', 'origin_not_allowed'],
    },
    'POST /auth/refresh': {
      id: 'refresh',
      summary: 'Spend a refresh token for new tokens',
      description:
        'Within `REFRESH_GRACE_SECONDS` the same token gets the same successor: two tabs, a lost reply or a retry break nothing. ' +
        'Later it does so at most `REFRESH_LATE_REPLAYS` times a session in 24 hours, and only while that successor was never used. ' +
        'Otherwise it is a stolen one, and its session ends.',
      body: refreshBody,
      responses: tokens,
      problems: ['refresh_missing', 'refresh_invalid', 'refresh_reused', 'origin_not_allowed'],
      credential: 'refreshCookie',
    },
    'POST /auth/logout': {
      id: 'logout',
      summary: 'End the session, or all of them',
      body: logoutBody,
      responses: done('The session has ended.'),
      problems: ['refresh_missing', 'origin_not_allowed'],
      credential: 'refreshCookie',
    },
    'POST /auth/password': {
      id: 'changePassword',
      summary: 'Change the own password',
      description: `Ends all other sessions. ${minimumOf(passwordMinLength)}`,
      body: changePasswordBody(passwordMinLength),
      responses: { 204: { description: 'The password is changed.', headers: ['Set-Cookie'] } },
      problems: ['password_wrong'],
    },
    'POST /auth/password/forgot': {
      id: 'forgotPassword',
      summary: 'Ask for a link to set a new password',
      description: 'The answer is the same whether or not the address has an account.',
      body: forgotPasswordBody,
      responses: { 202: { description: 'Taken in.', schema: acceptedResponse } },
    },
    'POST /auth/password/reset': {
      id: 'resetPassword',
      summary: 'Set a new password by the mailed link',
      description: `Ends all sessions and unlocks the account. ${minimumOf(passwordMinLength)}`,
      body: resetPasswordBody(passwordMinLength),
      responses: { 204: { description: 'The password is changed.', headers: ['Set-Cookie'] } },
      problems: ['link_invalid'],
    },
  },
})

export const ownAccount: Subject = {
  name: 'Own account',
  description: 'What somebody signed in asks for on their own behalf.',
  operations: {
    'GET /v1/me': {
      id: 'readMe',
      summary: 'Who am I, and what may I do?',
      responses: ok('Profile, role, permissions, plan and features.', meResponse),
      problems: ['not_found'],
    },
    'GET /auth/sessions': {
      id: 'listOwnSessions',
      summary: 'My live sessions',
      responses: ok('The sessions.', sessionsResponse),
    },
    'DELETE /auth/sessions': {
      id: 'endOtherSessions',
      summary: 'End all my other sessions',
      responses: done('They have ended.'),
    },
    'DELETE /auth/sessions/{id}': {
      id: 'endOwnSession',
      summary: 'End one of my sessions',
      responses: done('It has ended.'),
    },
  },
}

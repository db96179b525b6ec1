import * as z from 'zod'
import { defineEndpoints } from '../endpoint/endpoint.ts'
import { displayName, email, newEmail, newPassword, opaqueToken, password } from './fields.ts'

/** Values that contracts take from the origin's configuration. */
export interface ContractSettings {
  passwordMinLength: number
}

function registerBody(minPasswordLength: number) {
  return z.strictObject({
    email: newEmail,
    password: newPassword(minPasswordLength),
    display_name: displayName.optional(),
  })
}

function changePasswordBody(minPasswordLength: number) {
  return z.strictObject({ current_password: password, new_password: newPassword(minPasswordLength) })
}

const forgotPasswordBody = z.strictObject({ email })

function resetPasswordBody(minPasswordLength: number) {
  return z.strictObject({ token: opaqueToken, password: newPassword(minPasswordLength) })
}

/** The same whether or not anything was done: it tells nobody whether an address has an account. */
export const acceptedResponse = z.object({ status: z.literal('accepted') }).meta({ id: 'Accepted' })

const minimumOf = (length: number) =>
  `A password has at least ${length} characters. One that is easily guessed, or contains the address, is refused with a code.`

/** The endpoints that set a password. */
export const createPasswordEndpoints = ({ passwordMinLength }: ContractSettings) =>
  defineEndpoints({
    register: {
      method: 'POST',
      path: '/auth/register',
      summary: 'Register an account',
      description: `The answer is the same whether or not the address was free: its owner gets a mail. ${minimumOf(passwordMinLength)}`,
      body: registerBody(passwordMinLength),
      responses: { 202: { description: 'Accepted.', schema: acceptedResponse } },
    },
    changePassword: {
      method: 'POST',
      path: '/auth/password',
      summary: 'Change the password of the caller',
      description: `Ends all other sessions. An account with a second factor needs a session that presented it lately. ${minimumOf(passwordMinLength)}`,
      body: changePasswordBody(passwordMinLength),
      responses: { 204: { description: 'The password is changed.', headers: ['Set-Cookie'] } },
      errors: ['password_wrong', 'step_up_required', 'verifier_unavailable'],
    },
    forgotPassword: {
      method: 'POST',
      path: '/auth/password/forgot',
      summary: 'Request a link to set a new password',
      description: 'The response is the same whether or not the address has an account.',
      body: forgotPasswordBody,
      responses: { 202: { description: 'Accepted.', schema: acceptedResponse } },
    },
    resetPassword: {
      method: 'POST',
      path: '/auth/password/reset',
      summary: 'Set a new password with the mailed link',
      description: `Ends all sessions and unlocks the account. ${minimumOf(passwordMinLength)}`,
      body: resetPasswordBody(passwordMinLength),
      responses: { 204: { description: 'The password is changed.', headers: ['Set-Cookie'] } },
      errors: ['link_invalid'],
    },
  })

import * as z from 'zod'
import { defineEndpointGroup, noContent, ok } from '../endpoint/endpoint.ts'
import { canonicalEmail, maxEmailLength } from '../lib/email.ts'
import { displayable, roleName, userStatus, utcDateTime, uuid } from './fields.ts'
import { filteredList, list } from './lists.ts'
import { accountMetadataResponse, productMetadataBody } from './metadata.ts'
import { sessionItem } from './own-account.ts'

const changeRoleBody = z.strictObject({ role: roleName })

/** The reason goes into the audit log alone. */
const disableBody = z.strictObject({
  reason: z.string().trim().min(1).max(500).regex(displayable).optional(),
})

const userFilters = {
  email_prefix: z
    .string()
    .min(1)
    .max(maxEmailLength)
    .regex(displayable, { error: 'is not the beginning of an address' })
    // One with a whole domain has the one form of an address, a part of a domain cannot.
    .transform((text) => canonicalEmail(text) ?? text)
    .optional()
    .meta({ description: 'Prefix of the address, in any letter case.' }),
  role: roleName.optional(),
  status: userStatus.optional(),
}

/** An account as people who run the product see it in a list. */
const userItem = z
  .object({
    id: z.uuid(),
    email: z.string(),
    display_name: z.string().nullable(),
    role: z.string(),
    status: userStatus,
    email_verified: z.boolean(),
    created_at: utcDateTime,
  })
  .meta({ id: 'UserItem' })

export type UserItem = z.output<typeof userItem>

/**
 * `locked_until` ends the lockout of unknown devices after failed logins; an admin changes `status`
 * by disabling or enabling.
 */
const userResponse = z
  .object({
    ...userItem.shape,
    level: z.int(),
    plan: z.string(),
    locked_until: utcDateTime.nullable(),
  })
  .meta({ id: 'User' })

export type UserResponse = z.output<typeof userResponse>

export const users = defineEndpointGroup({
  name: 'Users',
  description:
    'For people who run the product. Nobody changes their own account, or one at or above their own level; nobody grants a role above ' +
    'it: `escalation_refused`.',
  endpoints: {
    listUsers: {
      method: 'GET',
      path: '/admin/users',
      summary: 'List accounts by address',
      ...filteredList(userItem, userFilters),
    },
    readUser: {
      method: 'GET',
      path: '/admin/users/{id}',
      params: { id: uuid },
      summary: 'Read an account',
      responses: ok('The account.', userResponse),
    },
    changeRole: {
      method: 'PUT',
      path: '/admin/users/{id}/role',
      params: { id: uuid },
      summary: 'Change the role of an account',
      body: changeRoleBody,
      responses: noContent('The account has the role.'),
      errors: ['escalation_refused', 'step_up_required'],
    },
    readUserMetadata: {
      method: 'GET',
      path: '/admin/users/{id}/metadata',
      params: { id: uuid },
      summary: 'Read the metadata of an account',
      responses: ok('The part of the user and that of the product.', accountMetadataResponse),
    },
    setUserMetadata: {
      method: 'PUT',
      path: '/admin/users/{id}/metadata',
      params: { id: uuid },
      summary: 'Set what the product keeps with an account',
      body: productMetadataBody,
      responses: ok('The metadata as it is now.', accountMetadataResponse),
      errors: ['escalation_refused'],
    },
    lockUser: {
      method: 'POST',
      path: '/admin/users/{id}/lock',
      params: { id: uuid },
      summary: 'Lock an account',
      description:
        'Its sessions end, and nobody logs in until it is unlocked. The reason goes into the audit log.',
      body: disableBody,
      responses: noContent('The account is locked.'),
      errors: ['escalation_refused', 'step_up_required'],
    },
    unlockUser: {
      method: 'POST',
      path: '/admin/users/{id}/unlock',
      params: { id: uuid },
      summary: 'Unlock an account, and clear its failed logins',
      responses: noContent('The account is unlocked.'),
      errors: ['escalation_refused', 'step_up_required'],
    },
    resetFactors: {
      method: 'DELETE',
      path: '/admin/users/{id}/factors',
      params: { id: uuid },
      summary: 'Remove the second factors of an account',
      description:
        'For an owner who has lost them. The caller has presented a second factor lately; the owner gets a mail, and the password alone ' +
        'signs in.',
      responses: noContent('The account has no second factor.'),
      errors: ['escalation_refused', 'step_up_required'],
    },
    listSessions: {
      method: 'GET',
      path: '/admin/users/{id}/sessions',
      params: { id: uuid },
      summary: 'List live sessions of an account, the newest first',
      ...list(sessionItem),
    },
    endSessions: {
      method: 'DELETE',
      path: '/admin/users/{id}/sessions',
      params: { id: uuid },
      summary: 'End all sessions of an account',
      responses: noContent('The sessions have ended.'),
      errors: ['escalation_refused'],
    },
    endSession: {
      method: 'DELETE',
      path: '/admin/users/{id}/sessions/{session_id}',
      params: { id: uuid, session_id: uuid },
      summary: 'End one session of an account',
      responses: noContent('The session has ended.'),
      errors: ['escalation_refused'],
    },
  },
})

import * as z from 'zod'
import { acrSchema } from '../auth/claims.ts'
import { defineEndpointGroup, noContent, ok } from '../endpoint/endpoint.ts'
import { displayName, locale, timeZone, utcDateTime, uuid } from './fields.ts'
import { metadata, metadataResponse } from './metadata.ts'

const meResponse = z
  .object({
    id: z.uuid(),
    email: z.string(),
    email_verified: z.boolean(),
    display_name: z.string().nullable(),
    role: z.string(),
    level: z.int(),
    permissions: z.array(z.string()),
    plan: z.string(),
    features: z.array(z.string()),
    created_at: utcDateTime,
    locale: z.string().nullable(),
    time_zone: z.string().nullable(),
    metadata: metadataResponse,
  })
  .meta({ id: 'Me' })

export type MeResponse = z.output<typeof meResponse>

/** `null` removes a value; what is left out stays. `metadata` is replaced as a whole. */
const changeMeBody = z.strictObject({
  display_name: displayName.nullable().optional(),
  locale: locale.nullable().optional(),
  time_zone: timeZone.nullable().optional(),
  metadata: metadata.optional(),
})

/**
 * A live session as its account or an admin sees it. `amr` (RFC 8176) has the methods of its
 * authentication, and `acr` the level that it reached at `auth_time`.
 */
export const sessionItem = z
  .object({
    id: z.uuid(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    created_at: utcDateTime,
    last_used_at: utcDateTime,
    expires_at: utcDateTime,
    amr: z.array(z.string()),
    acr: acrSchema,
    auth_time: utcDateTime,
  })
  .meta({ id: 'Session' })

export type SessionItem = z.output<typeof sessionItem>

/** `current`: `true` for the session of this request. */
const sessionsResponse = z
  .object({ sessions: z.array(z.object({ ...sessionItem.shape, current: z.boolean() })) })
  .meta({ id: 'OwnSessions' })

export type SessionsResponse = z.output<typeof sessionsResponse>

export const ownAccount = defineEndpointGroup({
  name: 'Own account',
  description: 'Profile and sessions of the signed-in user.',
  endpoints: {
    readMe: {
      method: 'GET',
      path: '/v1/me',
      summary: 'Read profile and permissions of the caller',
      responses: ok('Profile, role, permissions, plan and features.', meResponse),
      errors: ['not_found'],
    },
    changeMe: {
      method: 'PATCH',
      path: '/v1/me',
      summary: 'Change the profile of the caller',
      description: 'A field that is left out stays; `null` removes it. `metadata` is replaced as a whole.',
      body: changeMeBody,
      responses: ok('The profile as it is now.', meResponse),
      errors: ['not_found'],
    },
    listOwnSessions: {
      method: 'GET',
      path: '/auth/sessions',
      summary: 'List the live sessions of the caller',
      responses: ok('The sessions.', sessionsResponse),
    },
    endOtherSessions: {
      method: 'DELETE',
      path: '/auth/sessions',
      summary: 'End all other sessions of the caller',
      responses: noContent('The sessions ended.'),
    },
    endOwnSession: {
      method: 'DELETE',
      path: '/auth/sessions/{id}',
      params: { id: uuid },
      summary: 'End one session of the caller',
      responses: noContent('The session ended.'),
    },
  },
})

import * as z from 'zod'
import { defineEndpointGroup, ok } from '../../endpoint/endpoint.ts'
import { bookedSubscriptionResponse } from '../catalogue/plan-administration.ts'
import {
  bookedStatus,
  displayable,
  email,
  microsecondTime,
  planName,
  time,
  userStatus,
  utcDateTime,
  uuid,
} from '../fields.ts'
import { accountMetadataResponse, productMetadataBody } from '../metadata.ts'
import { importBody, importResponse } from './user-import.ts'

/** Whether to read the live tables in place of the views that are refreshed every few minutes. */
const fresh = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')

/** Ids may come twice and in any letter case. */
const entitlementsBody = z.strictObject({
  user_ids: z.array(uuid).max(1000),
})

/**
 * A billing service's event: the subscription from this event on. The period starts
 * with the event unless it says otherwise.
 */
const billingEventBody = z
  .strictObject({
    event_id: z.string().min(1).max(200).regex(displayable),
    occurred_at: microsecondTime,
    plan: planName,
    status: bookedStatus,
    period_starts_at: time.optional(),
    period_ends_at: time.nullable(),
    cancel_at_period_end: z.boolean().default(false),
  })
  .refine(
    ({ occurred_at, period_starts_at = new Date(occurred_at), period_ends_at }) =>
      period_ends_at === null || period_ends_at > period_starts_at,
    {
      path: ['period_ends_at'],
      error: 'must be after period_starts_at, which without a value is occurred_at',
    },
  )
  .refine((event) => !event.cancel_at_period_end || event.period_ends_at !== null, {
    path: ['period_ends_at'],
    error: 'must be known for a subscription that is canceled at its end',
  })

/** An account as it was at `as_of`. */
const internalUserResponse = z
  .object({
    id: z.uuid(),
    email: z.string(),
    email_verified: z.boolean(),
    display_name: z.string().nullable(),
    status: userStatus,
    role: z.string(),
    level: z.int(),
    plan: z.string(),
    created_at: utcDateTime,
    as_of: utcDateTime,
  })
  .meta({ id: 'Account' })

export type InternalUserResponse = z.output<typeof internalUserResponse>

/** One or none. */
const internalUsersResponse = z.object({ items: z.array(internalUserResponse) })

export type InternalUsersResponse = z.output<typeof internalUsersResponse>

/**
 * The entitlements of an account at `as_of`. Permissions and features of a disabled one are
 * empty.
 */
const entitlementsResponse = z
  .object({
    user_id: z.uuid(),
    status: userStatus,
    role: z.string(),
    level: z.int(),
    permissions: z.array(z.string()),
    plan: z.string(),
    features: z.array(z.string()),
    api_quota_per_hour: z.int(),
    as_of: utcDateTime,
  })
  .meta({ id: 'Entitlements' })

export type EntitlementsResponse = z.output<typeof entitlementsResponse>

/** `missing` are ids without an account. */
const entitlementsListResponse = z.object({
  items: z.array(entitlementsResponse),
  missing: z.array(z.guid()),
})

export type EntitlementsListResponse = z.output<typeof entitlementsListResponse>

/** A billing event as it was applied; the same for each time that it comes. */
const billingEventResponse = z
  .object({ ...bookedSubscriptionResponse.shape, event_id: z.string() })
  .meta({ id: 'BillingEvent' })

export type BillingEventResponse = z.output<typeof billingEventResponse>

/** Called by services inside the network, each with a token of its own. */
export const services = defineEndpointGroup({
  name: 'Services',
  description:
    'Accounts and what they may do, for services of the product. Values are up to five minutes old; `fresh=true` reads the ' +
    'live tables.',
  endpoints: {
    findAccount: {
      method: 'GET',
      path: '/internal/users',
      summary: 'Find an account by address',
      scope: 'users.read',
      query: { email, fresh },
      responses: ok('The account.', internalUsersResponse),
    },
    readAccount: {
      method: 'GET',
      path: '/internal/users/{id}',
      summary: 'Read an account',
      scope: 'users.read',
      params: { id: uuid },
      query: { fresh },
      responses: ok('The account.', internalUserResponse),
    },
    readEntitlements: {
      method: 'GET',
      path: '/internal/users/{id}/entitlements',
      summary: 'Read the entitlements of an account',
      scope: 'entitlements.read',
      params: { id: uuid },
      query: { fresh },
      responses: ok('Role, plan, and what follows from them.', entitlementsResponse),
    },
    listEntitlements: {
      method: 'POST',
      path: '/internal/entitlements',
      summary: 'Read the entitlements of several accounts',
      scope: 'entitlements.read',
      query: { fresh },
      body: entitlementsBody,
      responses: ok('In the order of the ids, each once.', entitlementsListResponse),
    },
    readAccountMetadata: {
      method: 'GET',
      path: '/internal/users/{id}/metadata',
      summary: 'Read the metadata of an account',
      scope: 'users.metadata',
      params: { id: uuid },
      responses: ok('What the user and the product keep there.', accountMetadataResponse),
    },
    setAccountMetadata: {
      method: 'PUT',
      path: '/internal/users/{id}/metadata',
      summary: 'Set what the product keeps with an account',
      scope: 'users.metadata',
      params: { id: uuid },
      body: productMetadataBody,
      responses: ok('The metadata as it is now.', accountMetadataResponse),
    },
    importUsers: {
      method: 'POST',
      path: '/internal/users/import',
      summary: 'Import accounts of another system with their password hashes',
      description:
        'Each account is validated, and created, updated or rejected by itself. The same request again changes nothing. ' +
        'No mail is sent. docs/migration.md has the fields and the forms of hashes.',
      scope: 'users.import',
      body: importBody,
      responses: ok('What became of each account, in their order.', importResponse),
    },
    applyBillingEvent: {
      method: 'PUT',
      path: '/internal/users/{id}/subscription',
      summary: 'Report a booking of a billing service',
      description: 'A repeated event gets the same response.',
      scope: 'subscriptions.write',
      params: { id: uuid },
      body: billingEventBody,
      responses: ok('The subscription as it is from this event on.', billingEventResponse),
      errors: ['event_conflict', 'event_outdated'],
    },
  },
})

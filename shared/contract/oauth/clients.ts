import * as z from 'zod'
import { defineEndpointGroup, noContent, ok } from '../../endpoint/endpoint.ts'
import { utcDateTime } from '../fields.ts'
import { list } from '../lists.ts'
import { scopeNames } from './scopes.ts'

/** The same check as in the table. */
const clientId = z
  .string()
  .regex(/^[a-z][a-z0-9-]{2,62}$/, { error: 'is 3 to 63 of a-z, 0-9 and -, the first a letter' })

const scopeList = z
  .array(z.enum(scopeNames, { error: 'is not the name of a scope' }))
  .min(1)
  .max(50)

const createClientBody = z.strictObject({ id: clientId, scopes: scopeList })

const clientScopesBody = z.strictObject({ scopes: scopeList })

/** The longest time in which the old secret of a client works beside the new one. */
export const maxOverlapSeconds = 30 * 86_400

/** Enough for a release of the service. */
export const defaultOverlapSeconds = 86_400

const rotateSecretBody = z.strictObject({
  overlap_seconds: z.int().min(0).max(maxOverlapSeconds).default(defaultOverlapSeconds).meta({
    description: 'How long the old secret works beside the new one; 0 voids it at once.',
  }),
})

/**
 * A service that signs in as itself. `last_used_at` is its last authentication, to the minute.
 * `previous_secret_ends_at` is null where one secret alone works.
 */
const clientResponse = z
  .object({
    id: z.string(),
    scopes: z.array(z.string()),
    status: z.enum(['active', 'disabled']),
    created_at: utcDateTime,
    disabled_at: utcDateTime.nullable(),
    last_used_at: utcDateTime.nullable(),
    secret_changed_at: utcDateTime,
    previous_secret_ends_at: utcDateTime.nullable(),
    previous_secret_used_at: utcDateTime.nullable(),
  })
  .meta({ id: 'Client' })

export type ClientResponse = z.output<typeof clientResponse>

/** The secret is in this response alone: only its hash is stored. */
const clientSecretResponse = z
  .object({
    client_id: z.string(),
    client_secret: z.string(),
    previous_secret_ends_at: utcDateTime.nullable(),
  })
  .meta({ id: 'ClientSecret' })

export type ClientSecretResponse = z.output<typeof clientSecretResponse>

const params = { id: clientId }

export const clients = defineEndpointGroup({
  name: 'Clients',
  description: 'Services that sign in as themselves (RFC 6749, client credentials), with their scopes.',
  endpoints: {
    listClients: {
      method: 'GET',
      path: '/admin/clients',
      summary: 'List clients by name',
      ...list(clientResponse),
    },
    readClient: {
      method: 'GET',
      path: '/admin/clients/{id}',
      summary: 'Read a client',
      params,
      responses: ok('The client.', clientResponse),
    },
    createClient: {
      method: 'POST',
      path: '/admin/clients',
      summary: 'Create a client',
      body: createClientBody,
      responses: ok('Its secret, which is not stored.', clientSecretResponse),
      errors: ['name_taken'],
    },
    setClientScopes: {
      method: 'PUT',
      path: '/admin/clients/{id}/scopes',
      summary: 'Replace the scopes of a client',
      description: 'Tokens that it has keep their scopes until they expire, which takes minutes.',
      params,
      body: clientScopesBody,
      responses: ok('The client after the change.', clientResponse),
    },
    rotateClientSecret: {
      method: 'POST',
      path: '/admin/clients/{id}/secret',
      summary: 'Give a client a new secret',
      description:
        'The current secret works beside the new one for `overlap_seconds`. A secret before that one is void at once.',
      params,
      body: rotateSecretBody,
      responses: ok('The new secret, which is not stored.', clientSecretResponse),
      errors: ['client_disabled'],
    },
    endPreviousSecret: {
      method: 'DELETE',
      path: '/admin/clients/{id}/secret/previous',
      summary: 'Void the old secret of a client now',
      params,
      responses: noContent('One secret alone works.'),
    },
    disableClient: {
      method: 'POST',
      path: '/admin/clients/{id}/disable',
      summary: 'Disable a client',
      description: 'It gets no more tokens. Those that it has expire within minutes.',
      params,
      responses: noContent('The client is disabled.'),
    },
    deleteClient: {
      method: 'DELETE',
      path: '/admin/clients/{id}',
      summary: 'Delete a client',
      params,
      responses: noContent('The client is gone.'),
    },
  },
})

import * as z from 'zod'
import { defineEndpointGroup, noContent, ok } from '../../endpoint/endpoint.ts'
import { displayName, network, permissionName, time, utcDateTime, uuid } from '../fields.ts'

/** A live API key. The key itself is in no response but that of its creation. */
const apiKeyItem = z
  .object({
    id: z.uuid(),
    name: z.string(),
    hint: z.string().meta({ description: 'The first characters of the key.' }),
    permissions: z.array(z.string()),
    networks: z.array(z.string()),
    created_at: utcDateTime,
    expires_at: utcDateTime,
    last_used_at: utcDateTime.nullable().meta({ description: 'To the minute.' }),
  })
  .meta({ id: 'ApiKey' })

export type ApiKeyItem = z.output<typeof apiKeyItem>

const apiKeysResponse = z.object({ api_keys: z.array(apiKeyItem) }).meta({ id: 'ApiKeys' })

const createdApiKey = z
  .object({
    ...apiKeyItem.shape,
    key: z.string().meta({ description: 'The key. It is shown once and not stored.' }),
  })
  .meta({ id: 'CreatedApiKey' })

const createApiKeyBody = z.strictObject({
  name: displayName,
  permissions: z
    .array(permissionName)
    .max(100)
    .meta({ description: 'Some of your own. A right that you lose is lost to the key too.' }),
  networks: z
    .array(network)
    .max(20)
    .default([])
    .meta({ description: 'Networks that the key may be used from; every network where there is none.' }),
  expires_at: time.optional().meta({ description: 'By default as late as it may be.' }),
})

export const apiKeys = defineEndpointGroup({
  name: 'API keys',
  description:
    'Credentials of programs. A key acts as its owner, with some of the permissions, on the routes that take keys.',
  endpoints: {
    listApiKeys: {
      method: 'GET',
      path: '/v1/api-keys',
      summary: 'List the live API keys of the caller, the newest first',
      responses: ok('The keys, without their secrets.', apiKeysResponse),
    },
    createApiKey: {
      method: 'POST',
      path: '/v1/api-keys',
      summary: 'Create an API key',
      description: 'The owner gets a mail.',
      body: createApiKeyBody,
      responses: ok('The key, which is shown this once.', createdApiKey),
      errors: ['too_many_api_keys', 'permission_required', 'feature_required', 'step_up_required'],
    },
    revokeApiKeys: {
      method: 'DELETE',
      path: '/v1/api-keys',
      summary: 'Revoke all API keys of the caller',
      responses: noContent('The keys are revoked.'),
    },
    revokeApiKey: {
      method: 'DELETE',
      path: '/v1/api-keys/{id}',
      params: { id: uuid },
      summary: 'Revoke one API key of the caller',
      responses: noContent('The key is revoked.'),
    },
    listUserApiKeys: {
      method: 'GET',
      path: '/admin/users/{id}/api-keys',
      params: { id: uuid },
      summary: 'List the live API keys of an account, the newest first',
      responses: ok('The keys, without their secrets.', apiKeysResponse),
    },
    revokeUserApiKeys: {
      method: 'DELETE',
      path: '/admin/users/{id}/api-keys',
      params: { id: uuid },
      summary: 'Revoke all API keys of an account',
      responses: noContent('The keys are revoked.'),
      errors: ['escalation_refused'],
    },
    revokeUserApiKey: {
      method: 'DELETE',
      path: '/admin/users/{id}/api-keys/{key_id}',
      params: { id: uuid, key_id: uuid },
      summary: 'Revoke one API key of an account',
      responses: noContent('The key is revoked.'),
      errors: ['escalation_refused'],
    },
  },
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeInternalApi } from '../../origin/openapi/internal-document.ts'
import { gatewayAudience } from '../../shared/auth/assertion.ts'
import { gatewayReports, services } from '../../shared/contract.ts'
import { type ApiRequest, createApiClient } from '../../shared/endpoint/api-client.ts'
import type { Endpoint } from '../../shared/endpoint/endpoint.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer } from '../support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../support/full-stack/oauth-full-stack.ts'
import { createOpenApiValidator } from '../support/full-stack/openapi-validator.ts'
import { assertionFrom } from '../support/full-stack/origin-call.ts'

const endpoints = { ...services.endpoints, ...gatewayReports.endpoints }
type Id = keyof typeof endpoints

const described = createOpenApiValidator(describeInternalApi({ version: '0' }))
const succeeded = new Set<Id>()
let fullStack: OAuthFullStack
let service: Record<string, string>
let gateway: Record<string, string>
let userId: string

beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  const client = await fullStack.client('crm', 'users.read', 'entitlements.read', 'subscriptions.write')
  service = bearer(await fullStack.serviceToken(client))
  gateway = { [assertionHeader]: await assertionFrom(fullStack, null, { audience: gatewayAudience }) }
  const { tokens } = await fullStack.signUp('ada@example.com')
  userId = decodeJwt(tokens.access_token).sub ?? ''
})
afterAll(() => fullStack.close())

/** Calls the origin, and holds the response against the description. */
async function ask<Called extends Id>(
  status: number,
  id: Called,
  request: ApiRequest<(typeof endpoints)[Called]>,
): Promise<void> {
  const endpoint: Endpoint = endpoints[id]
  const client = createApiClient(
    { endpoint },
    {
      baseUrl: '',
      async fetch(path, init) {
        const response = await fullStack.originFetch(path, init)
        expect({ status: response.status, text: await response.clone().text() }).toMatchObject({ status })
        expect(await described.faults(endpoint.method, endpoint.path, response.clone())).toEqual([])
        return response
      },
    },
  )
  const { ok } = await client.endpoint(request)
  if (ok) succeeded.add(id)
}

const event = {
  event_id: 'one',
  occurred_at: '2026-01-31T12:00:00Z',
  plan: 'pro',
  status: 'active',
  period_ends_at: null,
} as const

describe('responses are as the description of the internal API has them', () => {
  test('200: of services', async () => {
    const headers = service
    const params = { id: userId }
    await ask(200, 'findAccount', { query: { email: 'ada@example.com' }, headers })
    await ask(200, 'findAccount', { query: { email: 'nobody@example.com', fresh: 'true' }, headers })
    await ask(200, 'readAccount', { params, query: { fresh: 'true' }, headers })
    await ask(200, 'readEntitlements', { params, query: { fresh: 'true' }, headers })
    const user_ids = [userId, '00000000-0000-4000-8000-000000000000']
    await ask(200, 'listEntitlements', { body: { user_ids }, headers })
    await ask(200, 'applyBillingEvent', { params, body: event, headers })
  })

  test('200 and 204: of gateways', async () => {
    const headers = gateway
    await ask(200, 'readRevocations', { headers })
    await ask(200, 'readRevocations', { query: { after: '1' }, headers })
    await ask(200, 'readPlanCatalogue', { headers })
    const limited = { class: 'address', key: '203.0.113.7', method: 'GET', route: '/v1/plans', count: 1 }
    await ask(204, 'reportRateLimits', { body: { dropped: 0, refusals: [limited] }, headers })
    await ask(204, 'reportDenials', { body: { dropped: 1, denials: [] }, headers })
  })

  test('of errors', async () => {
    const headers = service
    const params = { id: userId }
    await ask(401, 'readAccount', { params })
    await ask(401, 'readAccount', { params, headers: bearer('x.y.z') })
    const other = bearer(await fullStack.serviceToken(await fullStack.client('other', 'tokens.introspect')))
    await ask(403, 'readAccount', { params, headers: other })
    await ask(404, 'readAccount', { params: { id: 'none' }, headers })
    await ask(400, 'findAccount', { query: { email: 'no address' }, headers })
    await ask(422, 'listEntitlements', { body: { user_ids: ['none'] }, headers })
    await ask(413, 'listEntitlements', { body: { user_ids: ['x'.repeat(70_000)] }, headers })
    await ask(409, 'applyBillingEvent', { params, body: { ...event, plan: 'starter' }, headers })
    await ask(422, 'applyBillingEvent', {
      params,
      body: { ...event, event_id: 'two', plan: 'none' },
      headers,
    })
    await ask(401, 'readPlanCatalogue', {})
    await ask(400, 'readRevocations', { query: { after: 'x' }, headers: gateway })
    await ask(422, 'reportDenials', { body: { dropped: -1, denials: [] }, headers: gateway })
  })

  // Last, as it looks back.
  test('all of this was every endpoint', () => {
    expect(Object.keys(endpoints).filter((id) => !succeeded.has(id as Id))).toEqual([])
  })
})

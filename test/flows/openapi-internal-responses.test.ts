import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeInternalApi } from '../../origin/openapi/internal-document.ts'
import { gatewayAudience } from '../../shared/auth/assertion.ts'
import { gatewayReports, services } from '../../shared/contract.ts'
import { mergeEndpoints } from '../../shared/endpoint/endpoint.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer } from '../support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../support/full-stack/oauth-full-stack.ts'
import { createOpenApiCalls } from '../support/full-stack/openapi-calls.ts'
import { assertionFrom } from '../support/full-stack/origin-call.ts'

const endpoints = mergeEndpoints([services, gatewayReports])

const { succeed, fail, untried } = createOpenApiCalls(
  endpoints,
  describeInternalApi({ version: '0' }),
  (path, init) => fullStack.originFetch(path, init),
)
let fullStack: OAuthFullStack
let service: Record<string, string>
let gateway: Record<string, string>
let userId: string

beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  const client = await fullStack.client(
    'crm',
    'users.read',
    'entitlements.read',
    'subscriptions.write',
    'users.import',
    'users.metadata',
  )
  service = bearer(await fullStack.serviceToken(client))
  gateway = { [assertionHeader]: await assertionFrom(fullStack, null, { audience: gatewayAudience }) }
  const { tokens } = await fullStack.signUp('ada@example.com')
  userId = decodeJwt(tokens.access_token).sub ?? ''
})
afterAll(() => fullStack.close())

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
    await succeed('findAccount', { query: { email: 'ada@example.com' }, headers })
    await succeed('findAccount', { query: { email: 'nobody@example.com', fresh: 'true' }, headers })
    await succeed('readAccount', { params, query: { fresh: 'true' }, headers })
    await succeed('readEntitlements', { params, query: { fresh: 'true' }, headers })
    const user_ids = [userId, '00000000-0000-4000-8000-000000000000']
    await succeed('listEntitlements', { body: { user_ids }, headers })
    await succeed('applyBillingEvent', { params, body: event, headers })
    await succeed('setAccountMetadata', { params, body: { product_metadata: { a: 1 } }, headers })
    await succeed('readAccountMetadata', { params, headers })
    const users = [{ email: 'bob@example.com' }, { email: 'nowhere' }]
    await succeed('importUsers', { body: { users }, headers })
  })

  test('200 and 204: of gateways', async () => {
    const headers = gateway
    await succeed('readRevocations', { headers })
    await succeed('readRevocations', { query: { after: '1' }, headers })
    await succeed('readPlanCatalogue', { headers })
    const limited = { class: 'address', key: '203.0.113.7', method: 'GET', route: '/v1/plans', count: 1 }
    await succeed('reportRateLimits', { body: { dropped: 0, refusals: [limited] }, headers })
    await succeed('readAssertionKey', { body: { request: 'no JWS' }, headers })
    await succeed('exchangeApiKey', { body: { key_hash: 'a'.repeat(43) }, headers })
    const use = { key_id: userId, outcome: 'used', at: '2026-01-31T12:00:00Z', count: 1 } as const
    await succeed('reportApiKeyUses', { body: { dropped: 0, uses: [use] }, headers })
    await succeed('reportDenials', { body: { dropped: 1, denials: [] }, headers })
    const usage = { user_id: userId, day: '2026-01-31', limit_name: 'user', used: 3 }
    await succeed('reportUsage', { body: { id: userId, dropped: 1, usage: [usage] }, headers })
  })

  test('of errors', async () => {
    const headers = service
    const params = { id: userId }
    await fail(401, 'readAccount', { params })
    await fail(401, 'readAccount', { params, headers: bearer('x.y.z') })
    const other = bearer(await fullStack.serviceToken(await fullStack.client('other', 'tokens.introspect')))
    await fail(403, 'readAccount', { params, headers: other })
    await fail(404, 'readAccount', { params: { id: 'none' }, headers })
    await fail(400, 'findAccount', { query: { email: 'no address' }, headers })
    await fail(422, 'listEntitlements', { body: { user_ids: ['none'] }, headers })
    await fail(413, 'listEntitlements', { body: { user_ids: ['x'.repeat(70_000)] }, headers })
    await fail(409, 'applyBillingEvent', { params, body: { ...event, plan: 'starter' }, headers })
    await fail(422, 'applyBillingEvent', {
      params,
      body: { ...event, event_id: 'two', plan: 'none' },
      headers,
    })
    await fail(422, 'importUsers', { body: { users: [] }, headers })
    await fail(401, 'readPlanCatalogue', {})
    await fail(400, 'readRevocations', { query: { after: 'x' }, headers: gateway })
    await fail(422, 'reportDenials', { body: { dropped: -1, denials: [] }, headers: gateway })
  })

  // Last, as it looks back.
  test('all of this was every endpoint', () => {
    expect(untried()).toEqual([])
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'

let fullStack: OAuthFullStack
let service: string
let admin: string
let userToken: string
let userId: string
let adminId: string
beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  service = await fullStack.serviceToken(await fullStack.client('crm', 'users.metadata'))
  userToken = (await fullStack.signUp('ada@example.com')).tokens.access_token
  userId = decodeJwt(userToken).sub ?? ''
  const { email, password } = await fullStack.signUp('admin@example.com')
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = ${email}`
  admin = (await fullStack.login(email, password)).access_token
  adminId = decodeJwt(admin).sub ?? ''
})
beforeEach(async () => {
  await fullStack.sql`update user_accounts set product_metadata = '{}', user_metadata = '{"own": 1}'`
  await fullStack.sql`truncate audit_logs`
})
afterAll(() => fullStack.close())

const init = (token: string, body?: unknown): RequestInit => ({
  method: body === undefined ? 'GET' : 'PUT',
  headers: { ...bearer(token), ...(body !== undefined && { 'content-type': 'application/json' }) },
  ...(body !== undefined && { body: JSON.stringify(body) }),
})
const asService = async (id: string, body?: unknown): Promise<Response> =>
  fullStack.originFetch(`/internal/users/${id}/metadata`, init(service, body))
const asAdmin = async (id: string, body?: unknown): Promise<Response> =>
  fullStack.call(`/admin/users/${id}/metadata`, init(admin, body))

const both = { user_metadata: { own: 1 }, product_metadata: { vip: true } }

describe('metadata of the product', () => {
  test.each([
    ['a service', asService, () => null as string | null, { client_id: 'crm' }],
    ['an administrator', asAdmin, (): string | null => adminId, {}],
  ] as const)(
    '200: %s replaces it, reads both parts, and leaves an audit row',
    async (_, ask, actor, details) => {
      const set = await ask(userId, { product_metadata: { vip: true } })
      expect({ status: set.status, body: await set.json() }).toEqual({ status: 200, body: both })
      expect(await (await ask(userId)).json()).toEqual(both)
      expect(await fullStack.sql`select action, actor_id, user_id, details from audit_logs`).toEqual([
        { action: 'account.metadata_changed', actor_id: actor(), user_id: userId, details },
      ])
    },
  )

  test('200: its user sees the own part alone', async () => {
    await asService(userId, { product_metadata: { vip: true } })
    const me = await fullStack.call('/v1/me', { headers: bearer(userToken) })
    expect(await me.json()).toMatchObject({ metadata: { own: 1 } })
  })

  test('404 not_found: no such account', async () => {
    const nobody = crypto.randomUUID()
    for (const ask of [asService, asAdmin]) {
      expect((await ask(nobody)).status).toBe(404)
      expect((await ask(nobody, { product_metadata: {} })).status).toBe(404)
    }
  })

  test('422 validation_failed: the part of the user, no object, too much', async () => {
    for (const body of [
      { user_metadata: {} },
      { product_metadata: [] },
      { product_metadata: { a: 'x'.repeat(9000) } },
    ])
      for (const ask of [asService, asAdmin]) expect((await ask(userId, body)).status).toBe(422)
  })

  test('403 escalation_refused: an administrator for an account at their own level', async () => {
    expect(await problem(await asAdmin(adminId, { product_metadata: { a: 1 } }))).toMatchObject({
      status: 403,
      code: 'escalation_refused',
    })
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileRow } from '../../gateway/policy/policy.ts'
import { routes } from '../../gateway/routes.ts'
import { type Identity, identitySchema } from '../../shared/auth/claims.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { assertionFrom } from '../support/full-stack/origin-call.ts'

let fullStack: FullStack
let superadmin: Identity
beforeAll(async () => {
  fullStack = await createFullStack()
  await fullStack.signUp('boss@example.com')
  await fullStack.sql`update user_accounts set role_id = (select id from roles where name = 'superadmin')`
  const { access_token: token } = await fullStack.login('boss@example.com', 'correct horse battery')
  // With two factors, so that rights alone decide.
  superadmin = { ...identitySchema.parse(decodeJwt(token)), acr: 'aal2' }
})
afterAll(() => fullStack.close())

/** A call that the gateway forwarded for `user`. */
async function pass(method: string, path: string, user: Identity | null) {
  const target = path.replaceAll(/\{[a-z_]+\}/g, crypto.randomUUID())
  const headers: Record<string, string> = { [assertionHeader]: await assertionFrom(fullStack, user) }
  if (method === 'GET') return fullStack.originFetch(target, { headers })
  headers['content-type'] = 'application/json'
  return fullStack.originFetch(target, { method, headers, body: '{}' })
}

const atTheOrigin = routes.flatMap(compileRow).filter(({ upstream }) => upstream === 'origin')

/**
 * The policy table guards the gateway. Where a row of it were wrong, the origin would still ask for
 * what the row asks now.
 */
describe.each(atTheOrigin.filter(({ permissions }) => permissions))(
  '$method $path',
  ({ method, path, permissions }) => {
    const required = [...(permissions?.all ?? []), ...(permissions?.any ?? [])]

    test('403 permission_required: a user with every other permission, at any level', async () => {
      const others = superadmin.permissions.filter((permission) => !required.includes(permission))
      expect(others).toHaveLength(superadmin.permissions.length - required.length)
      const answer = await pass(method, path, { ...superadmin, permissions: others })
      expect(answer.status).toBe(403)
      expect(await problem(answer)).toMatchObject({
        code: 'permission_required',
        required_permissions: { all: required },
      })
    })

    test('200, 404 or 422: a caller with these permissions alone', async () => {
      const answer = await pass(method, path, { ...superadmin, permissions: required })
      expect([200, 404, 422]).toContain(answer.status)
    })
  },
)

describe.each(atTheOrigin.filter(({ who }) => who === 'user'))('$method $path', ({ method, path }) => {
  test('401: no user', async () => {
    const answer = await pass(method, path, null)
    expect(answer.status).toBe(401)
  })
})

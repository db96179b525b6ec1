import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const email = 'ada@example.com'

let fullStack: FullStack
let adminToken: string
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp(email, password)
  await fullStack.signUp('boss@example.com', password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'admin') where email = 'boss@example.com'`
  adminToken = (await fullStack.login('boss@example.com', password)).access_token
  const [row] = await fullStack.sql<[{ id: string }]>`select id from user_accounts where email = ${email}`
  userId = row.id
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate audit_logs`)

const unlock = (id: string, token: string) =>
  fullStack.call(`/admin/users/${id}/unlock`, { method: 'POST', headers: bearer(token) })

const tryWith = async (attempt: string) =>
  (await fullStack.post('/auth/login', { email, password: attempt })).status

async function lock() {
  for (let tries = 0; tries < 5; tries++) await tryWith('wrong')
  expect(await tryWith(password)).toBe(401)
}

describe('POST /admin/users/{id}/unlock', () => {
  test('204: the locked account logs in at once, and the audit row names the admin', async () => {
    await lock()
    expect((await unlock(userId, adminToken)).status).toBe(204)
    expect(await tryWith(password)).toBe(200)
    const rows =
      await fullStack.sql`select actor_id, user_id, details from audit_logs where action = 'account.unlocked'`
    expect(rows).toEqual([
      {
        actor_id: decodeJwt(adminToken).sub,
        user_id: userId,
        details: expect.objectContaining({ was_counted: true }),
      },
    ])
  })

  test('403 permission_required: not for those it locks out, and nothing is unlocked', async () => {
    const { access_token: own } = await fullStack.login(email, password)
    await lock()
    const answer = await unlock(userId, own)
    expect(answer.status).toBe(403)
    expect((await problem(answer)).code).toBe('permission_required')
    expect(await tryWith(password)).toBe(401)
    await unlock(userId, adminToken)
  })

  test('404 not_found: an unknown id, or no id', async () => {
    for (const id of [crypto.randomUUID(), 'ada', '1']) {
      const answer = await unlock(id, adminToken)
      expect(answer.status).toBe(404)
      expect((await problem(answer)).code).toBe('not_found')
    }
    expect(await fullStack.sql`select from audit_logs where action = 'account.unlocked'`).toHaveLength(0)
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'
const roles = ['guest', 'user', 'subscriber', 'admin', 'superadmin'] as const
type Role = (typeof roles)[number]
type Refusal = 'own_account' | 'target_at_or_above'

/**
 * Roles and the accounts that they may book a plan for, written by hand. The other roles lack the
 * permission.
 */
const table: Record<'admin' | 'superadmin', Record<Role | 'self', 'booked' | Refusal>> = {
  admin: {
    self: 'own_account',
    guest: 'booked',
    user: 'booked',
    subscriber: 'booked',
    admin: 'target_at_or_above',
    superadmin: 'target_at_or_above',
  },
  superadmin: {
    self: 'own_account',
    guest: 'booked',
    user: 'booked',
    subscriber: 'booked',
    admin: 'booked',
    superadmin: 'target_at_or_above',
  },
}
const actors = ['admin', 'superadmin'] as const

let fullStack: FullStack
const ids: Record<string, string> = {}
const tokens = {} as Record<(typeof actors)[number], string>
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('first@example.com', password)
  await fullStack.sql`
    insert into user_accounts (email, password_hash, role_id)
    select roles.name || '-' || part || '@example.com', password_hash, roles.id
    from user_accounts, roles, unnest(array['actor', 'target']) part`
  for (const { id, email } of await fullStack.sql<
    { id: string; email: string }[]
  >`select id, email from user_accounts`)
    ids[email.split('@')[0] ?? ''] = id
  for (const actor of actors)
    tokens[actor] = (await fullStack.login(`${actor}-actor@example.com`, password)).access_token
})
beforeEach(() => fullStack.sql`truncate audit_logs, revocations, user_subscriptions`)
afterAll(() => fullStack.close())

const book = (actor: (typeof actors)[number], target: string) =>
  fullStack.call(`/admin/users/${ids[target]}/subscription`, {
    method: 'PUT',
    headers: { ...bearer(tokens[actor]), 'content-type': 'application/json' },
    body: JSON.stringify({ plan: 'enterprise' }),
  })

const audit = () => fullStack.sql`select action, actor_id, user_id, details from audit_logs`

const expectNothingBooked = async () => {
  expect(await fullStack.sql`select from user_subscriptions`).toHaveLength(0)
  expect(await fullStack.sql`select from revocations`).toHaveLength(0)
}

describe('PUT /admin/users/{id}/subscription, by the level of both', () => {
  const cells = actors.flatMap((actor) =>
    Object.entries(table[actor]).map(([target, verdict]) => [verdict, actor, target] as const),
  )

  test.each(cells)('%s: %s, for %s', async (verdict, actor, target) => {
    const account = target === 'self' ? `${actor}-actor` : `${target}-target`
    const answer = await book(actor, account)
    if (verdict === 'booked') {
      expect(answer.status).toBe(200)
      expect(await audit()).toMatchObject([{ action: 'subscription.changed' }])
      return
    }
    expect(answer.status).toBe(403)
    expect(await problem(answer)).toMatchObject({ code: 'escalation_refused', reason: verdict })
    expect(await audit()).toEqual([
      {
        action: 'account.change_refused',
        actor_id: ids[`${actor}-actor`],
        user_id: ids[account],
        details: { attempted: 'subscription enterprise', reason: verdict },
      },
    ])
    await expectNothingBooked()
  })

  // Until the gateways have read the revocation, the token of an admin who was disabled or demoted
  // is still let
  // through.
  test.each([
    ['locked', `status = 'disabled'`],
    ['demoted', `role_id = (select id from roles where name = 'guest')`],
  ])('403 escalation_refused: an admin who was just %s', async (_, change) => {
    await fullStack.sql.unsafe(`update user_accounts set ${change} where id = '${ids['admin-actor']}'`)
    expect(await problem(await book('admin', 'user-target'))).toMatchObject({
      status: 403,
      code: 'escalation_refused',
    })
    await expectNothingBooked()
    await fullStack.sql`
      update user_accounts set status = 'active', role_id = (select id from roles where name = 'admin')
      where id = ${ids['admin-actor'] ?? ''}`
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forceRace, untilOneWaits } from '../../test/support/full-stack/force-race.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let superadmin: string
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, ACCESS_TOKEN_SECONDS: '3600' } })
  await fullStack.signUp('root@example.com', password)
  await fullStack.sql`
    update user_accounts set role_id = (select id from roles where name = 'superadmin')`
  superadmin = (await fullStack.login('root@example.com', password)).access_token
  userId = decodeJwt((await fullStack.signUp('ada@example.com', password)).tokens.access_token).sub ?? ''
})
beforeEach(async () => {
  await fullStack.sql`
    update user_accounts set status = 'active', role_id = (select id from roles where name = 'user')
    where id = ${userId}`
  await fullStack.sql`truncate audit_logs`
})
afterAll(() => fullStack.close())

function send(method: string, path: string, body: unknown) {
  return fullStack.call(path, {
    method,
    headers: { ...bearer(superadmin), 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

const setRole = (role: string) => send('PUT', `/admin/users/${userId}/role`, { role })
const lock = () => send('POST', `/admin/users/${userId}/lock`, {})
const unlock = () => send('POST', `/admin/users/${userId}/unlock`, {})
const endSessions = () => send('DELETE', `/admin/users/${userId}/sessions`, {})
const book = (plan: string) => send('PUT', `/admin/users/${userId}/subscription`, { plan })

/** Sends both while another transaction locks the rows, so that the second waits for the first. */
async function oneAfterTheOther(at: string, first: () => Promise<Response>, second: () => Promise<Response>) {
  const answers = await forceRace(fullStack, {
    at,
    requests: () => [first(), untilOneWaits(fullStack).then(second)],
    waiting: 2,
  })
  return answers.map(({ status }) => status)
}

const changes = () => fullStack.sql<{ action: string; before: unknown; after: unknown }[]>`
  select action, details -> 'before' as before, details -> 'after' as after from audit_logs order by id`

describe('two changes of one account at once', () => {
  const atAccount = () => `select from user_accounts where id = '${userId}' for update`

  // A role change made the row that the second waited for match no row of its join any more.
  test.each<[string, () => Promise<Response>, number]>([
    ['a lock', lock, 204],
    ['an unlock', unlock, 204],
    ['the end of its sessions', endSessions, 204],
    ['a subscription', () => book('pro'), 200],
    ['another role', () => setRole('guest'), 204],
  ])('204: a role change, and %s that waited for it', async (_, second, status) => {
    const statuses = await oneAfterTheOther(atAccount(), () => setRole('subscriber'), second)
    expect(statuses).toEqual([204, status])
  })

  test('both are done and audited with what the other left', async () => {
    await oneAfterTheOther(
      atAccount(),
      () => setRole('subscriber'),
      () => setRole('guest'),
    )
    expect(await changes()).toEqual([
      { action: 'account.role_changed', before: { role: 'user' }, after: { role: 'subscriber' } },
      { action: 'account.role_changed', before: { role: 'subscriber' }, after: { role: 'guest' } },
    ])
    await oneAfterTheOther(atAccount(), () => setRole('subscriber'), lock)
    const [row] = await fullStack.sql`
      select status, role.name as role from user_accounts account join roles role on role.id = role_id
      where account.id = ${userId}`
    expect(row).toEqual({ status: 'disabled', role: 'subscriber' })
  })

  test('200: a subscription that waited begins after the one that it waited for', async () => {
    let releasedAt = new Date(0)
    await forceRace(fullStack, {
      at: atAccount(),
      requests: () => [book('pro'), book('business')],
      waiting: 2,
      whileWaiting: async () => {
        const [row] = await fullStack.sql<[{ now: Date }]>`select clock_timestamp() as now`
        releasedAt = row.now
      },
    })
    const rows = await fullStack.sql<{ startedAt: Date }[]>`
      select period_started_at as "startedAt" from user_subscriptions
      where user_id = ${userId} order by id desc limit 2`
    for (const { startedAt } of rows) expect(startedAt.getTime()).toBeGreaterThanOrEqual(releasedAt.getTime())
    const [second, first] = await fullStack.sql`
      select details -> 'before' ->> 'plan' as before, details -> 'after' ->> 'plan' as after
      from audit_logs where action = 'subscription.changed' order by id desc limit 2`
    expect(second?.before).toBe(first?.after)
  })
})

describe('concurrent changes of what others have', () => {
  test('200: the permissions of a role are audited with what was there before each', async () => {
    const put = (permissions: string[]) => send('PUT', '/admin/roles/guest/permissions', { permissions })
    const statuses = await oneAfterTheOther(
      `select from roles where name = 'guest' for update`,
      () => put(['profile.read', 'profile.write']),
      () => put(['profile.read', 'dashboard.read']),
    )
    expect(statuses).toEqual([200, 200])
    const [first, second] = await changes()
    expect(first?.after).toEqual({ permissions: ['profile.read', 'profile.write'] })
    expect(second?.before).toEqual(first?.after)
    await put(['profile.read'])
  })

  test('200: so are the features and other fields of a plan', async () => {
    const put = (features: string[]) => send('PUT', '/admin/plans/starter/features', { features })
    const rename = (title: string) => send('PATCH', '/admin/plans/starter', { title })
    const atPlan = `select from subscription_plans where name = 'starter' for update`
    await oneAfterTheOther(
      atPlan,
      () => put(['api_access']),
      () => put(['webhooks']),
    )
    await oneAfterTheOther(
      atPlan,
      () => rename('One'),
      () => rename('Two'),
    )
    const rows = await changes()
    expect(rows).toHaveLength(4)
    for (const [index, row] of rows.slice(1).entries()) expect(row.before).toEqual(rows[index]?.after)
  })
})

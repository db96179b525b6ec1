import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack()
  await fullStack.signUp('ada@example.com')
})
afterAll(() => fullStack.close())

const names = async (table: string) =>
  (await fullStack.sql`select name from ${fullStack.sql(table)} order by name`).map(({ name }) => name)

describe('the seed', () => {
  test('has five roles with their levels', async () => {
    expect(await fullStack.sql`select name, level from roles order by level`).toEqual([
      { name: 'guest', level: 0 },
      { name: 'user', level: 10 },
      { name: 'subscriber', level: 50 },
      { name: 'admin', level: 90 },
      { name: 'superadmin', level: 100 },
    ])
  })

  test('has eleven permissions', async () => {
    const permissions = await names('permissions')
    expect(permissions).toHaveLength(11)
    expect(permissions).toEqual(expect.arrayContaining(['profile.read', 'dashboard.read', 'analytics.read']))
  })

  test('gives a role all that those below it have, and superadmin everything', async () => {
    const rows = await fullStack.sql<{ level: number; permissions: string[] }[]>`
      select level, coalesce(array_agg(permission_id::text order by permission_id), '{}') as permissions
      from roles left join role_permissions on role_id = id group by level order by level`
    for (const [index, { permissions }] of rows.entries())
      expect(rows[index + 1]?.permissions ?? permissions).toEqual(expect.arrayContaining(permissions))
    expect(rows.map(({ permissions }) => permissions.length)).toEqual([1, 3, 5, 9, 11])
  })

  test('has five plans from Free to Enterprise, each dearer and with more requests than the last', async () => {
    const plans = await fullStack.sql<{ name: string; price: number; quota: number }[]>`
      select name, price_cents_per_month as price, api_quota_per_hour as quota
      from subscription_plans order by rank`
    expect(plans.map(({ name }) => name)).toEqual(['free', 'starter', 'pro', 'business', 'enterprise'])
    expect(plans[0]).toMatchObject({ price: 0, quota: 1000 })
    for (const [index, { price, quota }] of plans.entries()) {
      expect(plans[index + 1]?.price ?? Infinity).toBeGreaterThan(price)
      expect(plans[index + 1]?.quota ?? Infinity).toBeGreaterThan(quota)
    }
  })

  test('has fourteen features, each plan all that the cheaper ones have, Enterprise everything', async () => {
    const features = await names('features')
    expect(features).toHaveLength(14)
    expect(features).toEqual(expect.arrayContaining(['api_access', 'premium_dashboard']))
    const rows = await fullStack.sql<{ features: number[] }[]>`
      select array_agg(feature_id order by feature_id) as features
      from subscription_plans join plan_features on plan_id = id group by rank order by rank`
    for (const [index, row] of rows.entries())
      expect(rows[index + 1]?.features ?? row.features).toEqual(expect.arrayContaining(row.features))
    expect(rows.map((row) => row.features.length)).toEqual([3, 6, 10, 13, 14])
  })

  test('applied a second time changes nothing', async () => {
    const seeded = [
      'roles',
      'permissions',
      'subscription_plans',
      'features',
      'role_permissions',
      'plan_features',
    ]
    const everything = async () => {
      const rows = []
      for (const table of seeded)
        rows.push(await fullStack.sql`select * from ${fullStack.sql(table)} order by 1, 2`)
      return rows
    }
    const before = await everything()
    const seed = await readFile(new URL('../../sql/0002.do.seed.sql', import.meta.url), 'utf8')
    await fullStack.sql.unsafe(seed).simple()
    expect(await everything()).toEqual(before)
  })
})

describe('updated_at', () => {
  const withRows = [
    'roles',
    'permissions',
    'subscription_plans',
    'features',
    'user_accounts',
    'user_subscriptions',
    'sessions',
    'signing_keys',
  ]

  test.each(withRows)('of %s changes with every update, and no statement sets it', async (table) => {
    const newest = async () => {
      const [row] = await fullStack.sql<[{ at: Date | null }]>`
        select max(updated_at) as at from ${fullStack.sql(table)}`
      return row.at?.getTime() ?? Number.NaN
    }
    const before = await newest()
    await fullStack.sql`update ${fullStack.sql(table)} set updated_at = '2000-01-01'`
    const [row] = await fullStack.sql<
      [{ oldest: Date }]
    >`select min(updated_at) as oldest from ${fullStack.sql(table)}`
    expect(row.oldest.getTime()).toBeGreaterThanOrEqual(before)
    expect(await newest()).toBeGreaterThan(before)
  })

  test('has its trigger in every table that has the column', async () => {
    const without = await fullStack.sql`
      select table_name from information_schema.columns
      where table_schema = 'public' and column_name = 'updated_at' and not exists (
        select from pg_trigger
        where tgname = 'set_updated_at' and tgrelid = format('%I.%I', table_schema, table_name)::regclass
      )`
    expect(without).toEqual([])
  })
})

describe('the schema rejects', () => {
  const user = `(select id from user_accounts limit 1)`
  test.each([
    [
      'an email that differs in letter case alone',
      `insert into user_accounts (email, password_hash, role_id)
      select 'ADA@EXAMPLE.COM', 'x', role_id from user_accounts limit 1`,
    ],
    [
      'an account without a role',
      `insert into user_accounts (email, password_hash) values ('b@example.com', 'x')`,
    ],
    ['a role level above 100', `update roles set level = 101 where name = 'superadmin'`],
    ['a second current subscription', `insert into user_subscriptions (user_id, plan_id) select ${user}, 1`],
    [
      'a second signing key',
      `insert into signing_keys (kid, state, public_jwk, sealed_private_jwk)
      values ('another-key', 'signing', '{}', '')`,
    ],
    [
      'a token kept as anything but 32 bytes',
      `insert into tokens (kind, user_id, token_hash, expires_at)
      select 'password_reset', ${user}, 'in the clear', now()`,
    ],
    ['an ended session without a reason', `update sessions set ended_at = now()`],
    [
      'a failed attempt without a reason',
      `insert into login_attempts (email, succeeded) values ('a@example.com', false)`,
    ],
  ])('%s', async (_, statement) => {
    await expect(fullStack.sql.unsafe(statement)).rejects.toMatchObject({
      code: expect.stringMatching(/^23/),
    })
  })
})

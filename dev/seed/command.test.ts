import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const command = fileURLToPath(new URL('./command.ts', import.meta.url))

/** `npm run seed -- ...` in a process of its own. */
function seed(
  args: string[],
  environment: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const env = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: fullStack.remains.databaseUrl,
    PASSWORD_DIGEST_KEY: fullStack.secrets.PASSWORD_DIGEST_KEY,
    PASSWORD_HASH_COST: '10',
    ...environment,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env, cwd: tmpdir() }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

/** How many rows there are of everything that the seed adds. */
async function counts() {
  const [row] = await fullStack.sql`
    select
      (select count(*) from user_accounts)::int as accounts,
      (select count(*) from user_subscriptions where ended_at is null)::int as current_subscriptions,
      (select count(*) from user_subscriptions)::int as subscriptions,
      (select count(*) from sessions)::int as sessions,
      (select count(*) from tokens)::int as tokens,
      (select count(*) from login_attempts)::int as login_attempts,
      (select count(*) from audit_logs)::int as audit_logs,
      (select count(*) from rate_limit_logs)::int as rate_limit_logs,
      (select count(*) from mv_users_with_subscription)::int as in_views`
  return row
}

const passwordIn = (out: string) => /log in with (\S+)$/m.exec(out)?.[1] ?? ''

describe('npm run seed', () => {
  test('64: prints the reason and the usage, and does nothing', async () => {
    const { code, out, err } = await seed(['--users', 'many'])
    expect({ code, out }).toEqual({ code: 64, out: '' })
    expect(err).toContain('--users takes a number')
    expect(err).toContain('npm run seed -- --users COUNT')
    expect(await counts()).toMatchObject({ accounts: 0 })
  })

  test('1: never in production, not by force either', async () => {
    const { code, err } = await seed(['--users', '10', '--force'], { NODE_ENV: 'production' })
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('production gets none') })
    expect(await counts()).toMatchObject({ accounts: 0 })
  })

  test('0: adds the accounts with all that they leave behind, the same each time, and they log in', async () => {
    const { code, out } = await seed(['--users', '1000'])
    expect(code).toBe(0)
    expect(out).toContain('users 1 to 1000: 1000 added')
    // The data of account n depends on n alone.
    expect(await counts()).toMatchInlineSnapshot(`
      {
        "accounts": 1000,
        "audit_logs": 5210,
        "current_subscriptions": 1000,
        "in_views": 1000,
        "login_attempts": 5127,
        "rate_limit_logs": 56,
        "sessions": 1554,
        "subscriptions": 1212,
        "tokens": 3108,
      }
    `)
    expect((await fullStack.login('u7@seed.example.com', passwordIn(out))).token_type).toBe('Bearer')
  })

  test('0: plans, roles and states are spread as a product of that size has them', async () => {
    const plans = await fullStack.sql`
      select plan.name, count(*)::int from user_subscriptions join subscription_plans plan on plan.id = plan_id
      where ended_at is null group by plan.rank, plan.name order by plan.rank`
    expect(plans.map(({ name }) => name)).toEqual(['free', 'starter', 'pro', 'business', 'enterprise'])
    expect(plans[0]?.count).toBeGreaterThan(600)
    const roles = await fullStack.sql`
      select role.name, count(*)::int from user_accounts join roles role on role.id = role_id
      group by role.name order by count(*) desc`
    expect(roles.map(({ name }) => name)).toEqual(expect.arrayContaining(['user', 'subscriber', 'admin']))
    expect(roles.map(({ name }) => name)).not.toContain('superadmin')
    const [times] = await fullStack.sql`
      select
        (select bool_and(created_at <= now() and created_at > now() - interval '91 days') from login_attempts) as tries_within,
        (select bool_and(created_at <= last_used_at and last_used_at <= now()) from sessions) as sessions_within,
        (select bool_and(expires_at <= (select expires_at from sessions where sessions.id = session_id)) from tokens
          where kind = 'refresh') as tokens_within,
        (select count(*)::int from login_attempts_default) as outside_their_month`
    expect(times).toEqual({
      tries_within: true,
      sessions_within: true,
      tokens_within: true,
      outside_their_month: 0,
    })
  })

  test('0: the same number again adds nothing, a larger one the rest, and the password stays', async () => {
    const before = await counts()
    const again = await seed(['--users', '1000'])
    expect(again).toMatchObject({ code: 0, out: expect.stringContaining('Added 0 accounts') })
    expect(await counts()).toEqual(before)

    const more = await seed(['--users', '1100'])
    expect(more).toMatchObject({ code: 0, out: expect.stringContaining('Added 100 accounts') })
    expect(await counts()).toMatchObject({ accounts: 1100, current_subscriptions: 1100, in_views: 1100 })
    expect(passwordIn(more.out)).toBe(passwordIn(again.out))
    expect((await fullStack.login('u1050@seed.example.com', passwordIn(more.out))).token_type).toBe('Bearer')
  })

  test('exit 1 beside accounts that the seed did not create; exit 0 with --force', async () => {
    await fullStack.signUp('ada@example.com')
    const refused = await seed(['--users', '1200'])
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toContain('ada@example.com for one')
    expect(await counts()).toMatchObject({ accounts: 1101 })

    expect((await seed(['--users', '1200', '--force'])).code).toBe(0)
    expect(await counts()).toMatchObject({ accounts: 1201 })
  })
})

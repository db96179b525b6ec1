import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPasswordHasher } from '../origin/passwords/hasher.ts'
import { createWorkerPool } from '../origin/passwords/worker-pool.ts'
import { bearer, createFullStack, type FullStack } from '../test/support/full-stack/full-stack.ts'
import { highLimits } from '../test/support/high-limits.ts'
import { demoAccounts, seedDemoAccounts, selectDemoAccounts } from './demo.ts'
import { missingDemoNames } from './demo-service.ts'
import { seedCatalogue } from './seed/catalogue.ts'

const password = 'correct horse battery'

let fullStack: FullStack
const tokens = new Map<string, string>()

/** As `npm start` does, then a login of each. */
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, UPGRADE_URL: 'https://app.example.com/upgrade' },
  })
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  const passwords = await createPasswordHasher({
    pool,
    digestKey: fullStack.originConfig.PASSWORD_DIGEST_KEY,
    cost: fullStack.originConfig.PASSWORD_HASH_COST,
  })
  const added = await seedDemoAccounts(fullStack.sql, passwords, password)
  expect(added).toEqual(demoAccounts.map(({ email }) => email))
  expect(await seedDemoAccounts(fullStack.sql, passwords, password)).toEqual([])
  await pool.close()
  for (const { email, role } of demoAccounts)
    tokens.set(role, (await fullStack.login(email, password)).access_token)
})
afterAll(() => fullStack.close())

async function ask(role: string, path: string) {
  const answer = await fullStack.call(path, { headers: bearer(tokens.get(role) ?? '') })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

/** The outcome for each role, at one path after the other: 200, or the code of the rejection. */
async function told(role: string) {
  const paths = ['/v1/me', '/v1/reports', '/admin/users', '/admin/upkeep-runs']
  const answers = await Promise.all(paths.map((path) => ask(role, path)))
  return answers.map(({ status, body }) => body.code ?? status)
}

describe('the demo accounts get different responses', () => {
  test.each([
    ['guest', 0, 'free', [200, 'permission_required', 'permission_required', 'permission_required']],
    ['user', 10, 'free', [200, 'feature_required', 'permission_required', 'permission_required']],
    ['subscriber', 50, 'pro', [200, 200, 'permission_required', 'permission_required']],
    ['admin', 90, 'business', [200, 200, 200, 'permission_required']],
    ['superadmin', 100, 'enterprise', [200, 200, 200, 200]],
  ])('%s', async (role, level, plan, answers) => {
    expect(await told(role)).toEqual(answers)
    expect((await ask(role, '/v1/me')).body).toMatchObject({
      email: `${role}@example.com`,
      role,
      level,
      plan,
    })
    expect((await ask(role, '/v1/subscription')).body).toMatchObject({ plan, status: 'active' })
  })

  test('no two of them may do the same', async () => {
    const profiles = await Promise.all(demoAccounts.map(({ role }) => ask(role, '/v1/me')))
    const rights = profiles.map(({ body }) => JSON.stringify([body.permissions, body.features]))
    expect(new Set(rights).size).toBe(demoAccounts.length)
  })

  test('the user on Free gets the name of the plan that includes the reports, and a link to it', async () => {
    expect(await ask('user', '/v1/reports')).toMatchObject({
      status: 403,
      body: {
        code: 'feature_required',
        required_feature: 'premium_dashboard',
        current_plan: 'free',
        minimum_plan: 'pro',
        upgrade_url: 'https://app.example.com/upgrade?plan=pro',
      },
    })
  })

  test('reports have more for a plan with more features', async () => {
    expect((await ask('subscriber', '/v1/reports')).body).toMatchObject({ plan: 'pro' })
    expect((await ask('superadmin', '/v1/reports')).body).toMatchObject({ plan: 'enterprise' })
  })
})

describe('a database with another catalogue', () => {
  test('gets no demo accounts of roles that it lacks, nor the demo service', async () => {
    const { sql } = fullStack
    expect(await missingDemoNames(sql)).toEqual([])
    await sql`delete from user_accounts`
    await seedCatalogue(
      sql,
      fileURLToPath(new URL('../test/support/catalogue/notes-product.yaml', import.meta.url)),
    )
    expect(await selectDemoAccounts(sql)).toEqual([])
    expect(await seedDemoAccounts(sql, { hash: async () => 'x' }, password)).toEqual([])
    expect(await missingDemoNames(sql)).toEqual(['dashboard.read', 'premium_dashboard'])
  })

  test('is not replaced by what it lacks: a role of accounts stays', async () => {
    await fullStack.signUp('reader@example.com', password)
    await expect(seedCatalogue(fullStack.sql)).rejects.toThrow(
      'The role reader cannot be removed: 1 account has it.',
    )
  })
})

import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { exampleCatalogue } from '../../dev/seed/catalogue.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { catalogues, normalized } from '../../test/support/catalogue/catalogues.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { insertAccount, insertSubscription } from '../auth/queries.ts'
import { loadCatalogue } from '../catalogue-command/load.ts'
import { createDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { selectEntitlements } from '../entitlements/queries.ts'
import { type Catalogue, findByName, type Plan, type Role, withoutName, withReplaced } from './catalogue.ts'
import { compareCatalogues } from './compare.ts'
import { selectCatalogue } from './queries.ts'
import { applyCatalogue, diffCatalogue } from './service.ts'

const context = { ip: null, userAgent: 'a test', requestId: 'r' }

let database: TestDatabase
let sql: Sql
let example: Catalogue
beforeAll(async () => {
  database = await createTestDatabase()
  const { log } = createCapturedLog('test')
  sql = createDatabase({
    url: database.url,
    poolMax: 4,
    idleSeconds: 5,
    connectSeconds: 10,
    statementSeconds: 10,
    log,
  })
  example = await loadCatalogue(exampleCatalogue)
})
afterAll(async () => {
  await sql.end()
  await database.drop()
})

beforeEach(async () => {
  await sql`delete from user_accounts`
  await applyCatalogue(sql, example, context)
  await sql`truncate audit_logs, revocations`
})

const apply = (wanted: Catalogue) => applyCatalogue(sql, wanted, context)

const withRole = (name: string, change: Partial<Role>): Catalogue => {
  const role = findByName(example.roles, name)
  if (!role) throw new Error(`there is no role ${name}`)
  return { ...example, roles: withReplaced(example.roles, { ...role, ...change }) }
}
const withPlan = (name: string, change: Partial<Plan>): Catalogue => {
  const plan = findByName(example.plans, name)
  if (!plan) throw new Error(`there is no plan ${name}`)
  return { ...example, plans: withReplaced(example.plans, { ...plan, ...change }) }
}

async function createAccount(email: string, role: string, plan: string | undefined): Promise<string> {
  return sql.begin(async (transaction) => {
    const id = await insertAccount(transaction, { email, passwordHash: 'x', displayName: null, role })
    if (id === undefined) throw new Error('the address is taken')
    if (plan !== undefined) await insertSubscription(transaction, id, plan)
    return id
  })
}

const revocations = async () => [
  ...(await sql`select scope, subject from revocations order by scope, subject`),
]
const auditRows = async () => [...(await sql`select action, details from audit_logs order by id`)]

test('the example is what the migrations leave: applying it to a fresh database changes nothing', async () => {
  const fresh = await createTestDatabase()
  const other = createDatabase({
    url: fresh.url,
    poolMax: 1,
    idleSeconds: 5,
    connectSeconds: 10,
    statementSeconds: 10,
  })
  try {
    expect(normalized(await selectCatalogue(other))).toEqual(normalized(example))
    expect(await diffCatalogue(other, example)).toEqual({ kind: 'unchanged' })
  } finally {
    await other.end()
    await fresh.drop()
  }
})

describe('a catalogue that is applied', () => {
  test('replaces any catalogue of the database; epochs rise for stale roles and plans alone', async () => {
    await fc.assert(
      fc.asyncProperty(catalogues, async (wanted) => {
        const before = await selectCatalogue(sql)
        const { stale } = compareCatalogues(before, wanted)
        await sql`truncate revocations, audit_logs`
        const epochs =
          await sql`select name, epoch from roles union all select name, epoch from subscription_plans`
        await apply(wanted)
        expect(normalized(await selectCatalogue(sql))).toEqual(normalized(wanted))
        expect(await diffCatalogue(sql, wanted)).toEqual({ kind: 'unchanged' })
        expect(await revocations()).toEqual([
          ...stale.plans.toSorted().map((subject) => ({ scope: 'plan', subject })),
          ...stale.roles.toSorted().map((subject) => ({ scope: 'role', subject })),
        ])
        expect(epochs.length).toBeGreaterThan(0)
        const ranks = await sql<{ rank: number }[]>`select rank from subscription_plans order by rank`
        expect(ranks.map(({ rank }) => rank)).toEqual(ranks.map((_, index) => index))
      }),
      { numRuns: 25 },
    )
  })

  test('leaves one audit row with what changed, and none where nothing does', async () => {
    await apply(withPlan('pro', { apiQuotaPerHour: 30_000 }))
    expect(await auditRows()).toEqual([
      {
        action: 'catalogue.applied',
        details: expect.objectContaining({
          plans: [
            {
              kind: 'changed',
              before: expect.objectContaining({ name: 'pro', apiQuotaPerHour: 20_000 }),
              after: expect.objectContaining({ name: 'pro', apiQuotaPerHour: 30_000 }),
            },
          ],
          stale: { roles: [], plans: ['pro'] },
        }),
      },
    ])
    await apply(withPlan('pro', { apiQuotaPerHour: 30_000 }))
    expect(await auditRows()).toHaveLength(1)
  })

  test('makes no token stale by titles, descriptions and prices', async () => {
    const pro = withPlan('pro', { title: 'Professional', priceCentsPerMonth: 1 })
    const wanted = { ...withRole('user', { description: 'Another' }), plans: pro.plans }
    expect(await apply(wanted)).toMatchObject({ kind: 'replaced' })
    expect(await revocations()).toEqual([])
  })

  test('a role of a former name begins at its last epoch, so that its new tokens are not stale', async () => {
    const editor: Role = {
      name: 'editor',
      level: 20,
      description: 'Edits',
      isDefault: false,
      permissions: [],
    }
    await apply({ ...example, roles: [...example.roles, editor] })
    await apply(example)
    await apply({ ...example, roles: [...example.roles, editor] })
    const [role] = await sql`select epoch from roles where name = 'editor'`
    const [told] =
      await sql`select max(epoch) as epoch from revocations where scope = 'role' and subject = 'editor'`
    expect(told?.epoch).toBeGreaterThan(0)
    expect(role?.epoch).toBe(told?.epoch)
  })

  test('another first plan reaches accounts without a subscription, whose tokens of the former one are stale', async () => {
    const id = await createAccount('ada@example.com', 'user', undefined)
    expect(await selectEntitlements(sql, id)).toMatchObject({ plan: 'free' })
    const trial: Plan = { ...(example.plans[0] as Plan), name: 'trial', title: 'Trial' }
    await apply({ ...example, plans: [trial, ...example.plans] })
    expect(await selectEntitlements(sql, id)).toMatchObject({ plan: 'trial' })
    expect(await revocations()).toEqual([{ scope: 'plan', subject: 'free' }])
  })
})

describe('a catalogue that is refused', () => {
  test('in_use: a role of accounts, a plan of subscriptions, with their numbers; nothing is written', async () => {
    for (const [email, role, plan] of [
      ['a@example.com', 'subscriber', 'pro'],
      ['b@example.com', 'subscriber', 'pro'],
      ['c@example.com', 'guest', 'free'],
    ] as const)
      await createAccount(email, role, plan)
    await sql`update user_subscriptions set ended_at = now() where plan_id = (select id from subscription_plans where name = 'pro')`
    const wanted = {
      ...withPlan('starter', { apiQuotaPerHour: 99 }),
      roles: withoutName(withoutName(example.roles, 'subscriber'), 'guest'),
    }
    const refused = { ...wanted, plans: withoutName(wanted.plans, 'pro') }
    const uses = [
      { kind: 'role', name: 'guest', count: 1 },
      { kind: 'role', name: 'subscriber', count: 2 },
      { kind: 'plan', name: 'pro', count: 2 },
    ]
    expect(await diffCatalogue(sql, refused)).toEqual({ kind: 'in_use', uses })
    expect(await apply(refused)).toEqual({ kind: 'in_use', uses })
    expect(normalized(await selectCatalogue(sql))).toEqual(normalized(example))
    expect(await auditRows()).toEqual([])
    expect(await revocations()).toEqual([])
  })

  test('tokens_too_large: the largest token, of which role and plan, and what a gateway accepts', async () => {
    const features = Array.from({ length: 26 * 26 }, (_, n) => ({
      name: `feature_${String.fromCharCode(97 + Math.floor(n / 26), 97 + (n % 26))}`,
      description: 'x',
    }))
    const plans = withPlan('starter', { features: features.map(({ name }) => name) }).plans
    const wanted = { ...example, features: [...example.features, ...features], plans }
    const refused = await apply(wanted)
    expect(refused).toEqual({
      kind: 'tokens_too_large',
      size: { characters: expect.any(Number), limit: 8192, role: 'superadmin', plan: 'starter' },
    })
    expect(refused.kind === 'tokens_too_large' && refused.size.characters).toBeGreaterThan(8192)
    expect(normalized(await selectCatalogue(sql))).toEqual(normalized(example))
  })

  test('a diff writes nothing', async () => {
    expect(await diffCatalogue(sql, withPlan('pro', { apiQuotaPerHour: 77 }))).toMatchObject({
      kind: 'replaced',
      change: { stale: { plans: ['pro'] } },
    })
    expect(normalized(await selectCatalogue(sql))).toEqual(normalized(example))
    expect(await auditRows()).toEqual([])
  })
})

describe('at the same time', () => {
  test('two catalogues are applied: each whole, and the database has the later one', async () => {
    for (let round = 0; round < 5; round++) {
      const one = {
        ...withPlan('pro', { apiQuotaPerHour: 1111 }),
        roles: withRole('user', { level: 20 }).roles,
      }
      const other = {
        ...withPlan('free', { title: 'Gratis' }),
        permissions: [...example.permissions, { name: 'orders.read', description: 'See orders' }],
        roles: withRole('superadmin', {
          permissions: [
            ...(findByName(example.roles, 'superadmin')?.permissions ?? []),
            'orders.read',
          ].toSorted(),
        }).roles,
      }
      const outcomes = await Promise.all([apply(one), apply(other)])
      expect(outcomes.map(({ kind }) => kind)).toEqual(['replaced', 'replaced'])
      const found = normalized(await selectCatalogue(sql))
      expect([normalized(one), normalized(other)]).toContainEqual(found)
      await apply(example)
    }
  })

  test('the removal of a role and an account that gets it: the account keeps it, or has never had it', async () => {
    const editor: Role = {
      name: 'editor',
      level: 20,
      description: 'Edits',
      isDefault: false,
      permissions: [],
    }
    const withEditor = { ...example, roles: [...example.roles, editor] }
    for (let round = 0; round < 5; round++) {
      await apply(withEditor)
      const [removal, creation] = await Promise.allSettled([
        apply(example),
        createAccount(`racer${round}@example.com`, 'editor', 'free'),
      ])
      if (removal.status === 'rejected') throw removal.reason
      if (creation.status === 'fulfilled') {
        expect(removal.value).toEqual({ kind: 'in_use', uses: [{ kind: 'role', name: 'editor', count: 1 }] })
        await sql`delete from user_accounts`
        await apply(example)
      } else expect(removal.value).toMatchObject({ kind: 'replaced' })
    }
  })
})

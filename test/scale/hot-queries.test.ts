import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer } from '../support/full-stack/full-stack.ts'
import { describeWith } from '../support/vitest/describe-with.ts'
import { hotQueries, type SeededAccount } from './hot-queries.ts'
import { type List, listsOf } from './lists.ts'
import { createMeasurements } from './measurements.ts'
import type { Execution } from './plan.ts'
import { selectSeededAccounts } from './seeded-accounts.ts'
import { createSeededFullStack, type SeededFullStack } from './seeded-full-stack.ts'
import { explainsStatements } from './server-abilities.ts'

const users = 100_000

/**
 * Of each query: enough that a prepared statement has got its generic plan, which it gets after
 * five.
 */
const rounds = 15

/**
 * Most pages of big tables that a query about one account may read. A table of 100,000 accounts has
 * thousands.
 */
const rowsPerAccount = 20
const buffersPerAccount = 120

/**
 * Most rows of a page, for each of its items: the row, joined rows, and some that a filter leaves
 * out.
 */
const rowsPerItem = 25
const buffersPerItem = 40

/** Lists that are walked to their end. */
const walked = ['/admin/subscriptions', '/admin/users']

/** As a test's name says them: with their values where those do not come with the data. */
const filterNames = (filters: Record<string, string>) =>
  Object.entries(filters)
    .map(([name, value]) => (value ? `${name}=${value}` : name))
    .join()

let seeded: SeededFullStack
let targets: SeededAccount[]
let adminToken: string
let lists: readonly List[]
const measurements = createMeasurements()

describeWith('right to load auto_explain', await explainsStatements())('with 100,000 accounts', () => {
  beforeAll(async () => {
    seeded = await createSeededFullStack(users)
    const { fullStack, sql, login } = seeded
    targets = await selectSeededAccounts(sql, (hotQueries.length + 1) * rounds + 200)
    await fullStack.signUp('boss@example.com', 'correct horse battery')
    await sql`update user_accounts set role_id = (select id from roles where name = 'superadmin') where email = 'boss@example.com'`
    await sql`
    update user_subscriptions set plan_id = (select id from subscription_plans where name = 'enterprise')
    where user_id = (select id from user_accounts where email = 'boss@example.com')`
    adminToken = (await login('boss@example.com', 'correct horse battery')).access_token
    lists = listsOf(targets.at(-1) as SeededAccount)
  }, 600_000)

  afterAll(async () => {
    process.stdout.write(
      `\n${users} accounts seeded in ${seeded.seedSeconds.toFixed(1)} s\n\n${measurements.table()}\n`,
    )
    await seeded.close()
  })

  /** The one that was asked, or of several one that scanned, else the one that read most. */
  function heaviest(executions: Execution[]): Execution {
    const [first] = executions.toSorted(
      (one, other) => other.scanned.size - one.scanned.size || other.buffers - one.buffers,
    )
    if (!first) throw new Error('no statement touched a big table')
    return first
  }

  /** The bound of every query. */
  function expectCheap(executions: readonly Execution[], most: { rows: number; buffers: number }) {
    const scans = executions.filter(({ scanned }) => scanned.size > 0)
    expect(new Map(scans.map(({ statement, scanned }) => [statement, scanned]))).toEqual(new Map())
    expect(Math.max(...executions.map(({ rows }) => rows))).toBeLessThanOrEqual(most.rows)
    expect(Math.max(...executions.map(({ buffers }) => buffers))).toBeLessThanOrEqual(most.buffers)
  }

  test('the tables are as large as they are in a product of that size', () => {
    expect([...seeded.big]).toEqual(
      expect.arrayContaining([
        'user_accounts',
        'user_subscriptions',
        'sessions',
        'tokens',
        'login_attempts',
        'audit_logs',
        'rate_limit_logs',
        'mv_users_with_subscription',
        'mv_user_permissions',
        'mv_user_features',
      ]),
    )
  })

  test('a scan of a big table is seen as one', async () => {
    const executions = await seeded.executionsOf(
      () => seeded.sql`select count(*) from user_accounts where display_name = 'Ada Adams'`,
    )
    expect(heaviest(executions).scanned).toContain('user_accounts')
    expect(heaviest(executions).rows).toBeGreaterThanOrEqual(users)
  })

  describe('no hot query reads more for having 100,000 accounts', () => {
    test.each(hotQueries.map((query, nth) => ({ ...query, nth })))('$name', async (query) => {
      const { name, where, run, nth, accounts = 1 } = query
      const others = targets.slice(-accounts)
      const executions: Execution[] = []
      for (const account of targets.slice(nth * rounds, (nth + 1) * rounds)) {
        executions.push(heaviest(await seeded.executionsOf(() => run(seeded.sql, account, others))))
      }
      measurements.add({ name, where }, executions)
      expectCheap(executions, { rows: accounts * rowsPerAccount, buffers: accounts * buffersPerAccount })
    })
  })

  interface Page {
    items: { id: string }[]
    next_cursor: string | null
  }

  async function readPage(path: string, query: Record<string, string>): Promise<Page> {
    const answer = await seeded.call(`${path}?${new URLSearchParams(query)}`, { headers: bearer(adminToken) })
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as Page
  }

  describe('a page deep in a list costs what the first one does', () => {
    const limit = 50
    const shapes = listsOf({ userId: '', email: '' })

    test.each(shapes.map(({ path, filters }, nth) => ({ path, by: filterNames(filters) || 'nothing', nth })))(
      '$path by $by',
      async ({ path, by, nth }) => {
        const { filters, middle } = lists[nth] as List
        const pages: [string, Record<string, string>][] = [['first page', {}]]
        if (middle) {
          const cursor = Buffer.from(JSON.stringify(await middle(seeded.sql))).toString('base64url')
          pages.push(['middle page', { cursor }])
        }
        for (const [which, at] of pages) {
          const executions: Execution[] = []
          for (let round = 0; round < rounds; round++) {
            const read = () => readPage(path, { ...filters, ...at, limit: String(limit) })
            executions.push(heaviest(await seeded.executionsOf(read)))
          }
          const name = `${which}${by === 'nothing' ? '' : ` by ${by}`}`
          measurements.add({ name, where: `\`GET ${path}\`` }, executions)
          expectCheap(executions, { rows: limit * rowsPerItem, buffers: limit * buffersPerItem })
        }
      },
      120_000,
    )
  })

  describe('an admin walks through a whole list', () => {
    test.each(walked)(
      '%s: no row is missing or repeated, and all pages cost the same',
      async (path) => {
        const limit = 200
        const executions: Execution[] = []
        const seen = new Set<string>()
        let items = 0
        for (let cursor: string | null = ''; cursor !== null; ) {
          const query: Record<string, string> = cursor ? { cursor } : {}
          let page: Page | undefined
          const read = async () => {
            page = await readPage(path, { ...query, limit: String(limit) })
          }
          executions.push(heaviest(await seeded.executionsOf(read)))
          if (!page) throw new Error('no page was read')
          for (const { id } of page.items) seen.add(id)
          items += page.items.length
          cursor = page.next_cursor
        }
        const [row] = await seeded.sql`
        select (select count(*) from user_subscriptions)::int as "/admin/subscriptions",
          (select count(*) from user_accounts)::int as "/admin/users"`
        expect(items).toBe(row?.[path])
        expect(seen.size).toBe(items)
        measurements.add(
          { name: `all ${executions.length} pages of ${limit}`, where: `\`GET ${path}\`` },
          executions,
        )
        expectCheap(executions, { rows: limit * rowsPerItem, buffers: limit * buffersPerItem })
      },
      300_000,
    )
  })
})

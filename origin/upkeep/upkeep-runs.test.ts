import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { UpkeepRunResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
let token: string
let adminToken: string
let operatorId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  const promote = async (email: string, role: string) => {
    await fullStack.signUp(email, 'correct horse battery')
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = ${role}) where email = ${email}`
    return (await fullStack.login(email, 'correct horse battery')).access_token
  }
  token = await promote('root@example.com', 'superadmin')
  adminToken = await promote('boss@example.com', 'admin')
  const [row] = await fullStack.sql<
    [{ id: string }]
  >`select id from user_accounts where email = 'root@example.com'`
  operatorId = row.id
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate upkeep_runs, audit_logs restart identity`)

const list = (query = '', as = token) => fullStack.call(`/admin/upkeep-runs${query}`, { headers: bearer(as) })
const start = (job: string, as = token) =>
  fullStack.call(`/admin/upkeep/${job}/runs`, { method: 'POST', headers: bearer(as) })
const page = async (query = '') =>
  (await (await list(query)).json()) as { items: UpkeepRunResponse[]; next_cursor: string | null }

const started = () =>
  fullStack.sql`select actor_id, details from audit_logs where action = 'upkeep.started' order by created_at`

describe('POST /admin/upkeep/{job}/runs', () => {
  test('202: the job runs now, its run has the id of the response, the audit row names the admin', async () => {
    await fullStack.sql`
      insert into rate_limit_logs (limit_class, limit_key, method, route, created_at)
      values ('user', 'x', 'GET', '/', now() - interval '31 days')`
    const answer = await start('rate_limit_logs')
    expect(answer.status).toBe(202)
    const { id } = (await answer.json()) as { id: string }
    await vi.waitFor(async () =>
      expect((await page()).items).toMatchObject([
        { id, job: 'rate_limit_logs', rows: 1, outcome: 'succeeded', sqlstate: null },
      ]),
    )
    expect(await started()).toEqual([
      { actor_id: operatorId, details: { job: 'rate_limit_logs', run_id: id } },
    ])
  })

  test('409 upkeep_running: while it runs on any replica, and nothing is claimed', async () => {
    await fullStack.sql.begin(async (other) => {
      await other`select pg_advisory_xact_lock(upkeep_lock('audit_logs'))`
      const answer = await start('audit_logs')
      expect(answer.status).toBe(409)
      expect((await problem(answer)).code).toBe('upkeep_running')
    })
    expect((await page()).items).toEqual([])
    expect(await started()).toEqual([])
  })

  test('409 upkeep_running: fifty at once start one', async () => {
    let statuses: number[] = []
    await fullStack.sql.begin(async (transaction) => {
      await transaction`lock table rate_limit_logs in access exclusive mode`
      const answers = await Promise.all(Array.from({ length: 50 }, () => start('rate_limit_logs')))
      statuses = answers.map(({ status }) => status)
    })
    expect(statuses.filter((status) => status === 202)).toHaveLength(1)
    expect(statuses.filter((status) => status === 409)).toHaveLength(49)
    await vi.waitFor(async () => expect((await page()).items).toMatchObject([{ outcome: 'succeeded' }]))
    expect(await started()).toHaveLength(1)
  })

  test('404 not_found: no such job', async () => {
    for (const job of ['tidy_desk', 'constructor']) {
      const answer = await start(job)
      expect(answer.status).toBe(404)
      expect((await problem(answer)).code).toBe('not_found')
    }
    expect((await page()).items).toEqual([])
  })

  test('403 permission_required: an admin without system.manage starts nothing', async () => {
    const answer = await start('refresh_views', adminToken)
    expect(answer.status).toBe(403)
    expect((await problem(answer)).code).toBe('permission_required')
    expect((await page()).items).toEqual([])
  })
})

// As with the embedded database, whose one connection upkeep shares with the requests.
test('202: also where the pool has one connection, and the origin closes', async () => {
  const small = await createFullStack({
    environment: { ...highLimits, DATABASE_POOL_MAX: '1' },
    remains: fullStack.remains,
  })
  const answer = await small.call('/admin/upkeep/expired_tokens/runs', {
    method: 'POST',
    headers: bearer(token),
  })
  expect(answer.status).toBe(202)
  await vi.waitFor(async () => expect((await page()).items).toMatchObject([{ outcome: 'succeeded' }]))
  await small.close()
})

describe('GET /admin/upkeep-runs', () => {
  beforeEach(
    () => fullStack.sql`
      insert into upkeep_runs (job, slot, rows, outcome, finished_at, error)
      select case n % 2 when 0 then 'refresh_views' else 'audit_logs' end, now() + make_interval(secs => n), n,
        outcome, case when outcome is not null then now() end,
        case outcome when 'failed' then '42P01 relation "secret_table" does not exist' end
      from (values (1, 'succeeded'), (2, 'failed'), (3, null), (4, 'succeeded'), (5, 'failed')) as given (n, outcome)`,
  )
  const rows = async (query: string) => (await page(query)).items.map((item) => item.rows)

  test('200: newest first, page after page', async () => {
    const first = await page('?limit=3')
    expect(first.items.map((item) => item.rows)).toEqual([5, 4, 3])
    const second = await page(`?limit=3&cursor=${first.next_cursor}`)
    expect(second.items.map((item) => item.rows)).toEqual([2, 1])
    expect(second.next_cursor).toBeNull()
  })

  test('200: of one job, with one outcome, or without any', async () => {
    expect(await rows('?job=audit_logs')).toEqual([5, 3, 1])
    expect(await rows('?outcome=failed')).toEqual([5, 2])
    expect(await rows('?outcome=succeeded&job=refresh_views')).toEqual([4])
    expect(await rows('?outcome=unfinished')).toEqual([3])
  })

  // SECURITY: no body tells how the database is made.
  test('200: says of a failure its SQLSTATE alone', async () => {
    const answer = await list('?outcome=failed')
    const text = await answer.text()
    expect(text).toContain('42P01')
    expect(text).not.toContain('secret_table')
  })

  test('400 query_invalid: an unknown job, outcome, cursor or parameter', async () => {
    for (const query of ['?job=tidy_desk', '?outcome=lost', '?cursor=WyJ4Il0', '?limit=0', '?order=asc']) {
      const answer = await list(query)
      expect(answer.status).toBe(400)
      expect((await problem(answer)).code).toBe('query_invalid')
    }
  })

  test('403 permission_required: not without system.manage', async () => {
    const answer = await list('', adminToken)
    expect(answer.status).toBe(403)
    expect((await problem(answer)).code).toBe('permission_required')
  })
})

import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { UsageDayItem, UsageReport, UsageResponse } from '../../shared/contract.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { assertionFrom, postReport } from '../support/full-stack/origin-call.ts'
import { highLimits } from '../support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const today = () => new Date().toISOString().slice(0, 10)
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)

let people = 0
async function signUp() {
  const email = `usage-${people++}@example.com`
  const { tokens, password } = await fullStack.signUp(email)
  const id = String(decodeJwt(tokens.access_token).sub)
  return { id, email, password, headers: bearer(tokens.access_token) }
}

async function usageOf(headers: Record<string, string>, query = ''): Promise<UsageResponse> {
  const response = await fullStack.call(`/v1/usage${query}`, { headers })
  expect(response.status).toBe(200)
  return (await response.json()) as UsageResponse
}

const report = (body: unknown, headers?: Record<string, string>) =>
  postReport(fullStack, '/internal/gateway/usage', body, headers)

const reportOf = (...usage: UsageReport['usage']): UsageReport => ({
  id: crypto.randomUUID(),
  dropped: 0,
  usage,
})

describe('GET /v1/usage', () => {
  test('200: the current windows of the user, and the tokens of each day and limit', async () => {
    const { headers } = await signUp()
    for (let i = 0; i < 3; i++) await fullStack.call('/v1/me', { headers })
    const before = await usageOf(headers)
    const user = before.limits.find(({ name }) => name === 'user')
    expect(user).toMatchObject({ used: 3, window_seconds: 3600 })
    expect(user?.reset_seconds).toBeGreaterThan(3500)
    expect(before.limits.map(({ name }) => name)).toEqual(['user', 'account'])
    expect(before.days).toEqual([])
    await fullStack.reportsFlushed()
    expect((await usageOf(headers)).days).toEqual([{ day: today(), used: { user: 3 } }])
  })

  test('200: reading it consumes nothing of the plan, and is served when the quota is used up', async () => {
    const { headers } = await signUp()
    const { limits: before } = await usageOf(headers)
    const { limits: after } = await usageOf(headers)
    const usedOf = (limits: UsageResponse['limits']) => limits.map(({ used }) => used)
    expect(usedOf(before)).toEqual([0, 1])
    expect(usedOf(after)).toEqual([0, 2])
  })

  test('200: the latest days alone, the newest first', async () => {
    const { id, headers } = await signUp()
    const usage = [0, 1, 29, 31, 40].map((days) => ({
      user_id: id,
      day: daysAgo(days),
      limit_name: 'search',
      used: days + 1,
    }))
    expect((await report(reportOf(...usage))).status).toBe(204)
    const days = async (query?: string) => (await usageOf(headers, query)).days.map(({ used }) => used.search)
    expect(await days()).toEqual([1, 2, 30])
    expect(await days('?days=1')).toEqual([1])
    expect(await days('?days=400')).toEqual([1, 2, 30, 32, 41])
  })

  test('200: a header of the client that looks like the limits of the gateway is not read', async () => {
    const { headers } = await signUp()
    const forged = JSON.stringify([{ name: 'x', quota: 1, used: 0, window_seconds: 1, reset_seconds: 1 }])
    const { limits } = await usageOf({ ...headers, 'Gatehouse-Limits': forged, gatehouse_limits: forged })
    expect(limits.map(({ name }) => name)).toEqual(['user', 'account'])
  })

  test.each(['0', '401', 'x'])('400 query_invalid: %s days', async (days) => {
    const { headers } = await signUp()
    const response = await fullStack.call(`/v1/usage?days=${days}`, { headers })
    expect(response.status).toBe(400)
    expect((await problem(response)).code).toBe('query_invalid')
  })
})

describe('POST /internal/gateway/usage', () => {
  const usedBy = async (id: string) => {
    const [row] = await fullStack.sql<[{ used: number | null }]>`
      select sum(used)::int as used from usage_days where user_id = ${id}`
    return row.used
  }

  test('204: a report that comes again is counted once, also at the same moment', async () => {
    const { id } = await signUp()
    const entry = { user_id: id, day: today(), limit_name: 'user', used: 7 }
    const first = reportOf(entry)
    const responses = await Promise.all(Array.from({ length: 5 }, () => report(first)))
    expect(responses.map(({ status }) => status)).toEqual(Array(5).fill(204))
    expect(await usedBy(id)).toBe(7)
    await report(reportOf(entry))
    expect(await usedBy(id)).toBe(14)
  })

  test('204: reports of several gateways about the same users, at once, are all counted', async () => {
    const users = await Promise.all(Array.from({ length: 4 }, signUp))
    const entries = users.map(({ id }) => ({ user_id: id, day: today(), limit_name: 'user', used: 1 }))
    await Promise.all(
      Array.from({ length: 8 }, (_, i) => report(reportOf(...(i % 2 ? entries : entries.toReversed())))),
    )
    expect(await Promise.all(users.map(({ id }) => usedBy(id)))).toEqual([8, 8, 8, 8])
  })

  test('204: an account that is gone is left out, and the rest is counted; it goes with its account', async () => {
    const { id } = await signUp()
    const gone = crypto.randomUUID()
    const entries = [id, gone].map((user_id) => ({ user_id, day: today(), limit_name: 'search', used: 3 }))
    expect((await report(reportOf(...entries))).status).toBe(204)
    expect(await usedBy(id)).toBe(3)
    await fullStack.sql`delete from user_accounts where id = ${id}`
    expect(await usedBy(id)).toBeNull()
  })

  test('204: a refund that comes before its request is counted, and nobody is told of less than nothing', async () => {
    const { id, headers } = await signUp()
    const entry = { user_id: id, day: today(), limit_name: 'search', used: -4 }
    await report(reportOf(entry))
    expect((await usageOf(headers)).days).toEqual([{ day: today(), used: { search: 0 } }])
    await report(reportOf({ ...entry, used: 5 }))
    expect((await usageOf(headers)).days).toEqual([{ day: today(), used: { search: 1 } }])
  })

  test('422 validation_failed: no id, a day that is none, more than a thousand', async () => {
    const entry = { user_id: crypto.randomUUID(), day: today(), limit_name: 'user', used: 1 }
    const bodies = [
      { ...reportOf(entry), id: 'x' },
      reportOf({ ...entry, day: '2026-02-30' }),
      reportOf(...Array.from({ length: 1001 }, () => entry)),
    ]
    for (const body of bodies) expect((await report(body)).status).toBe(422)
  })

  test('401 untrusted_caller: a request that the gateway forwarded for a user', async () => {
    const response = await report(reportOf(), { [assertionHeader]: await assertionFrom(fullStack) })
    expect(response.status).toBe(401)
  })
})

describe('GET /admin/usage-days', () => {
  test('200: by user, limit and day, in pages, the newest day first; 403 without the right', async () => {
    const { id, headers } = await signUp()
    const { id: otherId, email, password } = await signUp()
    const usage = [0, 1, 2].flatMap((days) =>
      ['search', 'user'].flatMap((limit_name) =>
        [id, otherId].map((user_id) => ({ user_id, day: daysAgo(days), limit_name, used: 1 + days })),
      ),
    )
    await report(reportOf(...usage))
    expect((await fullStack.call('/admin/usage-days', { headers })).status).toBe(403)
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'superadmin')
      where id = ${otherId}`
    const admin = bearer((await fullStack.login(email, password)).access_token)
    async function list(query: Record<string, string>) {
      const items: UsageDayItem[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const search = new URLSearchParams({ ...query, limit: '2', ...(cursor && { cursor }) })
        const response = await fullStack.call(`/admin/usage-days?${search}`, { headers: admin })
        expect(response.status).toBe(200)
        const page = (await response.json()) as { items: UsageDayItem[]; next_cursor: string | null }
        items.push(...page.items)
        cursor = page.next_cursor
      }
      return items
    }
    const ofUser = await list({ user_id: id })
    expect(ofUser.map(({ day, limit_name, used }) => [day, limit_name, used])).toEqual(
      [0, 1, 2].flatMap((days) => ['user', 'search'].map((name) => [daysAgo(days), name, days + 1])),
    )
    expect(await list({ user_id: id, limit_name: 'search', from: daysAgo(1), to: daysAgo(0) })).toEqual([
      { day: daysAgo(1), user_id: id, limit_name: 'search', used: 2 },
    ])
  })
})

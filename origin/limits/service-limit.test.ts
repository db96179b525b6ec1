import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientAddressHeader } from '../../shared/http/headers.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'
import { metricValues } from '../../test/support/metric-values.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'

const quota = 6

/** A lookup of an address without an account, by a client of its own. */
async function createCaller(fullStack: OAuthFullStack, id: string) {
  const token = await fullStack.serviceToken(await fullStack.client(id, 'users.read', 'users.sign_in'))
  return {
    find: () => fullStack.originFetch('/internal/users?email=a@example.com', { headers: bearer(token) }),
    login: () =>
      fullStack.originFetch('/auth/login', {
        method: 'POST',
        headers: {
          ...bearer(token),
          'content-type': 'application/json',
          [clientAddressHeader]: '198.51.100.1',
        },
        body: JSON.stringify({ email: 'a@example.com', password: 'wrong' }),
      }),
  }
}

/** Requests that were let through, one after the other, of twice as many as the quota. */
async function passed(call: () => Response | Promise<Response>): Promise<number> {
  let served = 0
  for (let sent = 0; sent < 2 * quota; sent++) if ((await call()).status !== 429) served++
  return served
}

const environment = { LIMIT_SERVICE_REQUESTS: `${quota}`, LIMIT_SERVICE_SECONDS: '600' }

describe('requests of services, without Redis', () => {
  let fullStack: OAuthFullStack
  beforeAll(async () => {
    // As for the embedded database: limits and requests share one connection.
    fullStack = await createOAuthFullStack({ ...environment, DATABASE_POOL_MAX: '1' })
  })
  afterAll(() => fullStack.close())

  test('200: each response says how many are left, a rejection for the scope too', async () => {
    const { find } = await createCaller(fullStack, 'crm')
    const [first, second] = [await find(), await find()]
    expect(first.status).toBe(200)
    expect(first.headers.get('ratelimit-policy')).toBe('"service";q=6;w=600')
    expect(first.headers.get('ratelimit')).toBe('"service";r=5;t=600')
    expect(second.headers.get('ratelimit')).toMatch(/^"service";r=4;t=(600|599)$/)
    const token = await fullStack.serviceToken(await fullStack.client('reader', 'entitlements.read'))
    const denied = await fullStack.originFetch('/internal/users?email=a@example.com', {
      headers: bearer(token),
    })
    expect(denied.status).toBe(403)
    expect(denied.headers.get('ratelimit')).toContain('"service";r=5')
  })

  test('429 rate_limited: over the quota of a client, on record with its metric; another client is served', async () => {
    const { find, login } = await createCaller(fullStack, 'busy')
    expect(await passed(find)).toBe(quota)
    const rejected = await find()
    expect(rejected.status).toBe(429)
    expect(rejected.headers.get('ratelimit')).toMatch(/^"service";r=0;t=\d+$/)
    expect(Number(rejected.headers.get('retry-after'))).toBeGreaterThan(590)
    expect(await problem(rejected)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      code: 'rate_limited',
      'violated-policies': ['service'],
    })
    // The same client signs users in with the same token.
    expect((await login()).status).toBe(429)
    expect((await (await createCaller(fullStack, 'calm')).find()).status).toBe(200)

    await fullStack.rejectionsFlushed()
    expect(
      await fullStack.sql`
        select limit_class, limit_key, method, route, refused from rate_limit_logs order by route`,
    ).toEqual([
      { limit_class: 'service', limit_key: 'busy', method: 'POST', route: '/auth/login', refused: 1 },
      { limit_class: 'service', limit_key: 'busy', method: 'GET', route: '/internal/users', refused: 7 },
    ])
    const { value } = await metricValues(fullStack.originRegistry)
    expect(value('gatehouse_origin_limited_total', { limit: 'service' })).toBe(8)
  })

  test('the count is in the database: another origin counts on', async () => {
    const { find } = await createCaller(fullStack, 'shared')
    await find()
    const rows = await fullStack.sql`select points from limit_counters where key like '%service:shared'`
    expect(rows).toEqual([{ points: 1 }])
  })

  // A client that breaks the table of counters gains no requests.
  test('half as many where the counters cannot be written', async () => {
    const { find } = await createCaller(fullStack, 'alone')
    await fullStack.sql`alter table limit_counters rename to limit_counters_gone`
    try {
      expect(await passed(find)).toBe(quota / 2)
      expect((await find()).headers.get('ratelimit-policy')).toBe('"service";q=3;w=600')
    } finally {
      await fullStack.sql`alter table limit_counters_gone rename to limit_counters`
    }
  })
})

describe('requests of services, with Redis', () => {
  let redis: PrivateRedis
  let fullStack: OAuthFullStack
  beforeAll(async () => {
    redis = await startPrivateRedis()
    fullStack = await createOAuthFullStack({ ...environment, REDIS_URL: redis.url })
  })
  afterAll(async () => {
    await fullStack.close()
    await redis.stop()
  })

  test('429 rate_limited: the whole quota, then half of it when Redis is stopped', async () => {
    const before = await createCaller(fullStack, 'before')
    expect(await passed(before.find)).toBe(quota)
    await redis.kill()
    const after = await createCaller(fullStack, 'after')
    expect(await passed(after.find)).toBe(quota / 2)
    expect((await after.find()).headers.get('ratelimit-policy')).toBe('"service";q=3;w=600')
  })
})

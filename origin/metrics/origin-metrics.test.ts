import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { metricValues } from '../../test/support/metric-values.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, REDIS_URL: await redisForFile() } })
})
afterAll(() => fullStack.close())

const now = () => metricValues(fullStack.originRegistry)

/** How much a figure grew while something was done. */
async function growth(
  act: () => Promise<unknown>,
  name: string,
  labels: Record<string, string | number> = {},
) {
  const before = (await now()).value(`gatehouse_origin_${name}`, labels)
  await act()
  return (await now()).value(`gatehouse_origin_${name}`, labels) - before
}

const login =
  (email: string, secret = password) =>
  () =>
    fullStack.post('/auth/login', { email, password: secret })
const register = (email: string) => () => fullStack.post('/auth/register', { email, password })

test('registrations are counted by kind, which the response does not reveal', async () => {
  expect(await growth(register('ada@example.com'), 'registrations_total', { outcome: 'registered' })).toBe(1)
  expect(await growth(register('Ada@example.com'), 'registrations_total', { outcome: 'address_taken' })).toBe(
    1,
  )
})

describe('logins are counted by how they ended', () => {
  test.each([
    ['succeeded', login('ada@example.com')],
    ['wrong_password', login('ada@example.com', 'wrong')],
    ['unknown_account', login('nobody@example.com')],
  ])('%s', async (outcome, act) => {
    expect(await growth(act, 'logins_total', { outcome })).toBe(1)
    expect(await growth(act, 'logins_total')).toBe(1)
  })

  test('account_locked, and the account is one of those locked', async () => {
    await register('eve@example.com')()
    for (let tries = 0; tries < 5; tries++) await login('eve@example.com', 'wrong')()
    expect(await growth(login('eve@example.com'), 'logins_total', { outcome: 'account_locked' })).toBe(1)
    await expect
      .poll(async () => (await now()).value('gatehouse_origin_locked_accounts'), { timeout: 10_000 })
      .toBe(1)
  })
})

test('refreshes are counted by the outcome of the token', async () => {
  const { refresh_token } = (await (await login('ada@example.com')()).json()) as TokenResponse
  const pass = () =>
    fullStack.sql`update tokens set spent_at = now() - interval '1 minute' where spent_at is not null`
  const refresh = (token: string) => () => fullStack.post('/auth/refresh', { refresh_token: token })
  const counted = (outcome: string, token = refresh_token) =>
    growth(refresh(token), 'refreshes_total', { outcome })
  expect(await counted('rotated')).toBe(1)
  expect(await counted('replayed')).toBe(1)
  for (const outcome of ['replayed_late', 'replayed_late', 'reused']) {
    await pass()
    expect(await counted(outcome)).toBe(1)
  }
  expect(await counted('invalid', 'x'.repeat(43))).toBe(1)
})

describe('requests', () => {
  test('are counted and timed by the pattern of their route', async () => {
    const { access_token } = (await (await login('ada@example.com')()).json()) as TokenResponse
    const end = () =>
      fullStack.call(`/auth/sessions/${crypto.randomUUID()}`, {
        method: 'DELETE',
        headers: bearer(access_token),
      })
    const route = { method: 'DELETE', route: '/auth/sessions/:id' }
    expect(await growth(end, 'http_requests_total', { ...route, status: 404 })).toBe(1)
    expect(await growth(end, 'http_request_duration_seconds_count', route)).toBe(1)
    expect(await growth(end, 'refusals_total', { code: 'not_found' })).toBe(1)
  })

  test('that no route matches are one series', async () => {
    const odd = async () => {
      for (const path of ['/a', '/b', '/auth/c']) await fullStack.originFetch(path)
    }
    expect(await growth(odd, 'http_requests_total', { method: 'any', route: 'none' })).toBe(3)
  })

  test('that are rejected in the form of OAuth are counted by code, too', async () => {
    const act = async () =>
      fullStack.originFetch('/oauth/token', {
        method: 'POST',
        body: new URLSearchParams({ grant_type: 'x' }),
      })
    expect(await growth(act, 'refusals_total')).toBe(1)
  })

  test('leave no label with a value from a client', async () => {
    const { series } = await now()
    const routes = series('gatehouse_origin_http_requests_total').map(({ labels }) => labels.route)
    expect(new Set(routes)).toContain('/auth/login')
    for (const route of routes) expect(route).toMatch(/^(none|\/[a-z0-9/:.{}_-]*)$/i)
    expect(routes.join()).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}/)
  })
})

test('passwords are timed by task', async () => {
  expect(
    await growth(login('ada@example.com'), 'password_task_duration_seconds_count', { task: 'compare' }),
  ).toBe(1)
})

test('a login writes one row to the audit log, and each query is counted', async () => {
  const rows = () => fullStack.sql`select from audit_logs`
  const before = (await rows()).length
  const written = await growth(login('ada@example.com'), 'database_queries_total', {
    statement: 'insert into audit_logs',
    outcome: 'succeeded',
  })
  expect(written).toBe((await rows()).length - before)
  expect(await growth(login('ada@example.com'), 'database_query_duration_seconds_count')).toBeGreaterThan(3)
})

test('mails are counted by how their handing over ended', async () => {
  const act = async () => {
    await register('bob@example.com')()
    await fullStack.mails('bob@example.com')
  }
  expect(await growth(act, 'mails_total', { outcome: 'delivered' })).toBe(1)
})

test('revocations are counted when the stream has them, with their lag', async () => {
  const { refresh_token } = (await (await login('ada@example.com')()).json()) as TokenResponse
  const before = (await now()).value('gatehouse_origin_revocations_published_total')
  await fullStack.post('/auth/logout', { refresh_token })
  await expect
    .poll(async () => (await now()).value('gatehouse_origin_revocations_published_total'))
    .toBe(before + 1)
  expect((await now()).value('gatehouse_origin_revocation_publish_lag_seconds_count')).toBe(before + 1)
})

test('the state of keys, pool, queue and Redis is there at every scrape', async () => {
  const { value, series } = await now()
  expect(value('gatehouse_origin_signing_keys', { state: 'signing' })).toBe(1)
  expect(value('gatehouse_origin_signing_key_age_seconds', { state: 'signing' })).toBeGreaterThan(0)
  expect(value('gatehouse_origin_database_connections_max')).toBe(10)
  for (const pool of ['hash', 'strength']) {
    expect(value('gatehouse_origin_password_queue_length', { pool })).toBe(0)
    expect(value('gatehouse_origin_password_queue_limit', { pool })).toBe(64)
  }
  expect(value('gatehouse_origin_database_up')).toBe(1)
  expect(value('gatehouse_origin_redis_up')).toBe(1)
  expect(series('gatehouse_origin_revocations_unpublished')).toHaveLength(1)
})

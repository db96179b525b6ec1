import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { directUrl } from '../../tools/servers/postgres/test-database.ts'

const poolMax = 4

let fullStack: FullStack
let blocker: Sql
let accessToken: string
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: { ...highLimits, DATABASE_POOL_MAX: `${poolMax}`, DATABASE_LOCK_SECONDS: '2' },
  })
  accessToken = (await fullStack.signUp('ada@example.com')).tokens.access_token
  blocker = postgres(directUrl(fullStack.originConfig.DATABASE_URL), { max: 1 })
})
afterAll(async () => {
  await blocker.end()
  await fullStack.close()
})

const profile = () => fullStack.call('/v1/me', { headers: bearer(accessToken) })

async function health(path: string) {
  const response = await fullStack.originFetch(path)
  return { status: response.status, body: (await response.json()) as { checks: Record<string, unknown> } }
}

const metric = async (name: string, labels: Record<string, string> = {}) => {
  const found = (await fullStack.originRegistry.getSingleMetric(name)?.get())?.values.find((each) =>
    Object.entries(labels).every(([label, value]) => each.labels[label] === value),
  )
  return found?.value
}

/** Fills the pool with requests that wait for a lock, and as many behind them. */
async function whileLocked(tables: string, work: () => Promise<void>): Promise<void> {
  await blocker.unsafe(`begin; lock table ${tables} in access exclusive mode`)
  const requests = Array.from({ length: poolMax * 2 }, profile)
  try {
    await vi.waitFor(async () => {
      const { body } = await health('/health')
      expect(body).toMatchObject({ pool: { in_use: poolMax, waiting: poolMax } })
    })
    await work()
  } finally {
    await blocker`rollback`
    await Promise.all(requests)
  }
}

describe('while one table is locked', () => {
  test('200: GET /ready says that the pool is full, and that the database is there', async () => {
    await whileLocked('user_accounts', async () => {
      const { status, body } = await health('/ready')
      expect(status).toBe(200)
      expect(body.checks).toMatchObject({
        database: { status: 'pass' },
        pool: { status: 'warn', detail: 'full' },
      })
    })
  })

  test('gatehouse_origin_database_up stays 1, although the state of the metrics cannot be read', async () => {
    await whileLocked('mail_outbox, user_accounts', async () => {
      expect(await metric('gatehouse_origin_database_up')).toBe(1)
      expect(await metric('gatehouse_origin_database_waiting')).toBe(poolMax)
    })
  })

  test('503 database_unavailable after DATABASE_LOCK_SECONDS, counted as locked', async () => {
    const before = (await metric('gatehouse_origin_database_failures_total', { reason: 'locked' })) ?? 0
    await whileLocked('user_accounts', async () => {
      const response = await profile()
      expect(response.status).toBe(503)
      expect((await problem(response)).code).toBe('database_unavailable')
    })
    expect(await metric('gatehouse_origin_database_failures_total', { reason: 'locked' })).toBeGreaterThan(
      before,
    )
  })
})

describe('while the database accepts no writes', () => {
  const database = () => new URL(fullStack.originConfig.DATABASE_URL).pathname.slice(1)
  beforeEach(async () => {
    await blocker.unsafe(`alter database ${database()} set default_transaction_read_only = on`)
    await blocker`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`
    return async () => {
      await blocker.unsafe(`alter database ${database()} reset default_transaction_read_only`)
    }
  })

  test('503: GET /ready; gatehouse_origin_database_read_only is 1, and the database is up', async () => {
    await vi.waitFor(async () => {
      const { status, body } = await health('/ready')
      expect(body.checks).toMatchObject({ database: { status: 'fail', detail: 'read_only' } })
      expect(status).toBe(503)
    })
    expect(await metric('gatehouse_origin_database_up')).toBe(1)
    expect(await metric('gatehouse_origin_database_read_only')).toBe(1)
  })
})

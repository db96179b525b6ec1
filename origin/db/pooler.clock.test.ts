import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { startPgBouncer } from '../../tools/servers/postgres/pgbouncer.ts'
import type { RunningServer } from '../../tools/servers/postgres/postgres.ts'
import {
  createTestDatabase,
  directUrl,
  type TestDatabase,
} from '../../tools/servers/postgres/test-database.ts'
import { callRunUpkeep } from '../upkeep/queries.ts'
import { migrate } from './migrate.ts'

const password = 'correct horse battery'

let database: TestDatabase
let pooler: RunningServer
let direct: Sql
let stack: FullStack
beforeAll(async () => {
  database = await createTestDatabase()
  pooler = await startPgBouncer(directUrl(database.url))
  direct = postgres(directUrl(database.url), { max: 1, onnotice: () => {} })
  await migrate(`${pooler.url}?pgbouncer=true`)
  stack = await createFullStack({
    environment: { ...highLimits, DATABASE_POOLER: 'transaction', DATABASE_STATEMENT_SECONDS: '2' },
    remains: { secrets: await generateSecrets(), databaseUrl: pooler.url },
  })
}, 180_000)
afterAll(async () => {
  await stack.close()
  await direct.end()
  await pooler.stop()
  await database.drop()
})

describe('behind PgBouncer in transaction mode', () => {
  test('200: sign-up, login, refresh, account and sessions, for 20 users at once', async () => {
    const users: TokenResponse[] = []
    // Hashing takes its time: two at once.
    for (let n = 0; n < 20; n += 2) {
      const pair = [n, n + 1].map((index) => stack.signUp(`user${index}@example.com`, password))
      users.push(...(await Promise.all(pair)).map(({ tokens }) => tokens))
    }
    const responses = await Promise.all(
      users.map(async (first) => {
        const refreshed = await stack.post('/auth/refresh', { refresh_token: first.refresh_token })
        const { access_token } = (await refreshed.json()) as TokenResponse
        const me = await stack.call('/v1/me', { headers: bearer(access_token) })
        const sessions = await stack.call('/auth/sessions', { headers: bearer(access_token) })
        return [refreshed.status, me.status, sessions.status]
      }),
    )
    expect(responses).toEqual(Array(20).fill([200, 200, 200]))
  }, 60_000)

  test('one successor for a hundred refreshes of one token at once', async () => {
    const { tokens } = await stack.signUp('ada@example.com', password)
    const responses = await Promise.all(
      Array.from({ length: 100 }, () => stack.post('/auth/refresh', { refresh_token: tokens.refresh_token })),
    )
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]))
    const bodies = (await Promise.all(responses.map((response) => response.json()))) as TokenResponse[]
    expect(new Set(bodies.map(({ refresh_token }) => refresh_token)).size).toBe(1)
  })

  test('503 database_unavailable: a statement ends at DATABASE_STATEMENT_SECONDS, at the server too', async () => {
    const running = () => direct`
      select from pg_stat_activity where query like '%pg_sleep(61)%' and state = 'active' and pid <> pg_backend_pid()`
    const startedAt = performance.now()
    await expect(stack.sql`select pg_sleep(61)`).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    expect(performance.now() - startedAt).toBeLessThan(4000)
    await vi.waitFor(async () => expect(await running()).toHaveLength(0), { timeout: 10_000, interval: 100 })
    expect((await stack.originFetch('/ready')).status).toBe(200)
  })

  test('upkeep runs, commits between its batches and leaves no lock behind', async () => {
    await stack.sql`
      insert into rate_limit_logs (limit_class, limit_key, method, route, created_at)
      select 'user', 'x', 'GET', '/', now() - interval '31 days' from generate_series(1, 6000)`
    const runs = await Promise.all(
      [1, 2].map((minute) =>
        callRunUpkeep(stack.sql, {
          job: { name: 'rate_limit_logs', cron: '0 0 * * *', keepDays: 30 },
          slot: new Date(Date.UTC(2026, 0, 1, 0, minute)),
        }),
      ),
    )
    expect(runs).toHaveLength(2)
    expect(await direct`select from rate_limit_logs where limit_key = 'x'`).toHaveLength(0)
    expect(
      await direct`select from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`,
    ).toHaveLength(0)
  })

  test('npm run migrate gives the role what a session cannot set for itself', async () => {
    const settings = await direct`
      select unnest(setconfig) as setting from pg_db_role_setting
      where setdatabase = (select oid from pg_database where datname = current_database()) order by 1`
    expect(settings.map(({ setting }) => setting)).toEqual([
      'IntervalStyle=postgres',
      'bytea_output=hex',
      'client_connection_check_interval=2s',
      'default_transaction_isolation=read committed',
      'extra_float_digits=1',
      'idle_in_transaction_session_timeout=30s',
      'lock_timeout=5s',
      'statement_timeout=20min',
    ])
  })
})

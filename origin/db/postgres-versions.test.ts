import { afterEach, expect, test } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { jobs } from '../../test/support/database/upkeep-database.ts'
import { bearer, createFullStack } from '../../test/support/full-stack/full-stack.ts'
import { startPostgres } from '../../tools/servers/postgres/postgres.ts'
import { fetchPostgresBinaries, newestPostgres } from '../../tools/servers/postgres/postgres-binaries.ts'
import { createUpkeepRunner } from '../upkeep/runner.ts'
import { migrate } from './migrate.ts'

/** The newest minor release before the oldest major that is accepted. */
const lastRejected = '14.23.0-beta.17'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function startVersion(version: string): Promise<string> {
  const server = await startPostgres({ binaries: await fetchPostgresBinaries(version) })
  closers.push(server.stop)
  return server.url
}

// The other tests run on the PostgreSQL of the machine, which may be the oldest that is accepted.
test(`PostgreSQL ${newestPostgres.split('.')[0]}, the newest: migrations, sign-up, login, refresh, account, logout and all upkeep`, async () => {
  const databaseUrl = await startVersion(newestPostgres)
  await migrate(databaseUrl)
  const stack = await createFullStack({ remains: { secrets: await generateSecrets(), databaseUrl } })
  closers.push(stack.close)
  const { tokens } = await stack.signUp('ada@example.com')
  const refreshed = await stack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
  const next = (await refreshed.json()) as TokenResponse
  expect((await stack.call('/v1/me', { headers: bearer(next.access_token) })).status).toBe(200)
  expect((await stack.post('/auth/logout', { refresh_token: next.refresh_token })).status).toBe(204)
  const spent = await stack.post('/auth/refresh', { refresh_token: next.refresh_token })
  expect(spent.status).toBe(401)

  const { log } = createCapturedLog('origin')
  const runner = createUpkeepRunner({ sql: stack.sql, log })
  for (const job of jobs) await runner.run(job, new Date(Date.UTC(2026, 0, 1)))
  const runs = await stack.sql`select job, outcome, error from upkeep_runs`
  expect(runs).toHaveLength(jobs.length)
  expect(runs.filter(({ outcome }) => outcome !== 'succeeded')).toEqual([])
}, 120_000)

test('npm run migrate rejects PostgreSQL 14 by its name, and changes nothing', async () => {
  const databaseUrl = await startVersion(lastRejected)
  await expect(migrate(databaseUrl)).rejects.toThrow('The database is PostgreSQL 14: 15 or newer is needed')
}, 120_000)

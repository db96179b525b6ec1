import postgres from 'postgres'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { databaseUrl } from '../../tools/servers/postgres/database-url.ts'
import {
  type ReplicatedPostgres,
  startReplicatedPostgres,
} from '../../tools/servers/postgres/replicated-postgres.ts'
import { createCommandDatabase } from './database.ts'
import { migrate } from './migrate.ts'

let servers: ReplicatedPostgres
let stack: FullStack
let url: string
beforeAll(async () => {
  servers = await startReplicatedPostgres()
  const sql = postgres(servers.primary.url, { max: 1 })
  await sql`create database gatehouse`
  await sql.end()
  const hostOf = (server: { url: string }) => new URL(server.url).host
  // The standby first: a choice by order, or by default_transaction_read_only, would take it.
  url = databaseUrl(servers.primary.url, 'gatehouse').replace(
    hostOf(servers.primary),
    `${hostOf(servers.standby)},${hostOf(servers.primary)}`,
  )
  await migrate(url)
  stack = await createFullStack({
    environment: highLimits,
    remains: { secrets: await generateSecrets(), databaseUrl: url },
  })
}, 120_000)
afterAll(async () => {
  await stack.close()
  await servers.stop()
})

test('a URL that names the standby alone is rejected as unavailable', async () => {
  const { log } = createCapturedLog('database')
  const sql = createCommandDatabase(databaseUrl(servers.standby.url, 'gatehouse'), log)
  await expect(sql`select 1`).rejects.toMatchObject({ code: 'DATABASE_CONNECT_FAILED' })
  await sql.end({ timeout: 0 })
})

// I1, I2 and I5 over a failover under load, with a synchronous standby.
test('a failover under load loses no acknowledged refresh and ends no session; service is back within 10 s of the promotion', async () => {
  const users = await Promise.all(Array.from({ length: 8 }, (_, n) => stack.signUp(`user${n}@example.com`)))
  let isOver = false
  const codes = new Set<string>()
  const refresh = (refresh_token: string) => stack.post('/auth/refresh', { refresh_token })

  /** A client that keeps the last token that it was given, and repeats what failed. */
  async function runClient(first: string): Promise<string> {
    let token = first
    while (!isOver) {
      const response = await refresh(token)
      if (response.status === 200) token = ((await response.json()) as TokenResponse).refresh_token
      else codes.add((await problem(response)).code)
    }
    return token
  }
  const clients = users.map(({ tokens }) => runClient(tokens.refresh_token))
  await vi.waitFor(async () => {
    expect((await stack.sql`select from tokens limit 40`).length).toBe(40)
  })

  await servers.primary.kill?.()
  await vi.waitFor(() => expect(codes).toContain('database_unavailable'), { timeout: 10_000 })
  await servers.promote()
  const promotedAt = performance.now()
  await vi.waitFor(async () => expect((await stack.originFetch('/ready')).status).toBe(200), {
    timeout: 15_000,
    interval: 50,
  })
  expect(performance.now() - promotedAt).toBeLessThan(10_000)
  isOver = true
  const last = await Promise.all(clients)
  expect([...codes]).toEqual(['database_unavailable'])
  const after = await Promise.all(last.map(async (token) => (await refresh(token)).status))
  expect(after).toEqual(Array(users.length).fill(200))
  expect(await stack.sql`select from sessions where ended_at is not null`).toHaveLength(0)
}, 60_000)

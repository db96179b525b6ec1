import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { skipBehindPooler } from '../../test/support/database/skip-behind-pooler.ts'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
let server: Sql
let database: string
let tokens: TokenResponse
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  server = postgres(inject('postgresUrl'), { max: 1 })
  database = new URL(fullStack.originConfig.DATABASE_URL).pathname.slice(1)
  tokens = (await fullStack.signUp('ada@example.com', password)).tokens
})
afterAll(async () => {
  await server.end()
  await fullStack.close()
})

beforeEach(skipBehindPooler)

async function cutOff() {
  await server`alter database ${server(database)} allow_connections false`
  await server`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database}`
}

async function restore() {
  await server`alter database ${server(database)} allow_connections true`
}

const requests = {
  'POST /auth/register': () => fullStack.post('/auth/register', { email: 'bob@example.com', password }),
  'POST /auth/login': () => fullStack.post('/auth/login', { email: 'ada@example.com', password }),
  'POST /auth/refresh': () => fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token }),
  'POST /auth/logout': () => fullStack.post('/auth/logout', { refresh_token: tokens.refresh_token }),
  'GET /v1/me': () => fullStack.call('/v1/me', { headers: bearer(tokens.access_token) }),
}

describe('while the database accepts no connections', () => {
  beforeEach(cutOff)

  // A 401 here would log people out, and a 500 would tell them not to try again.
  test.each(Object.entries(requests))(
    '503 database_unavailable, with Retry-After: %s',
    async (_, request) => {
      const answer = await request()
      expect(answer.status).toBe(503)
      expect(answer.headers.get('retry-after')).toBe('2')
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      const refusal = await problem(answer)
      expect(refusal).toMatchObject({ code: 'database_unavailable', status: 503 })
      expect(JSON.stringify(refusal)).not.toContain(database)
    },
  )

  test('503 with status fail: GET /ready and GET /health, while GET /live and the public keys return 200', async () => {
    for (const path of ['/ready', '/health']) {
      const answer = await fullStack.originFetch(path)
      expect(answer.status, path).toBe(503)
      const health = await answer.text()
      expect(JSON.parse(health)).toMatchObject({ status: 'fail', checks: { database: { status: 'fail' } } })
      expect(health).not.toContain(database)
    }
    expect((await fullStack.originFetch('/live')).status).toBe(200)
    expect((await fullStack.originFetch('/.well-known/jwks.json')).status).toBe(200)
  })

  test('nothing of it was written, and the same requests succeed once connections are accepted again', async () => {
    for (const request of Object.values(requests)) await request()
    await restore()
    expect((await fullStack.originFetch('/ready')).status).toBe(200)
    expect(await fullStack.sql`select from user_accounts`).toHaveLength(1)
    expect(await fullStack.sql`select from tokens where spent_at is not null`).toHaveLength(0)
    expect(await fullStack.sql`select from sessions where ended_at is not null`).toHaveLength(0)
    expect(await fullStack.sql`select from audit_logs where action not like 'key.%'`).toHaveLength(2)

    const statuses = []
    for (const request of Object.values(requests)) statuses.push((await request()).status)
    expect(statuses).toEqual([202, 200, 200, 204, 200])
  })
})

describe('when the database ends connections under requests in flight', () => {
  // As in a failover: the requests under way fail, the process and those after it do not.
  test('503 database_unavailable: each login in progress; it writes nothing, and the next one works', async () => {
    await restore()
    const answers = await forceRace(fullStack, {
      at: 'lock table audit_logs in exclusive mode',
      requests: () => Array.from({ length: 5 }, requests['POST /auth/login']),
      waiting: 5,
      whileWaiting: (pids) => server`select pg_terminate_backend(pid) from unnest(${pids}::int[]) as pid`,
    })
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503])
    const sessions = (await fullStack.sql`select from sessions`).length
    expect((await requests['POST /auth/login']()).status).toBe(200)
    expect(await fullStack.sql`select from sessions`).toHaveLength(sessions + 1)
  })
})

describe('when the database is gone altogether', () => {
  test('503 database_unavailable, with Retry-After: POST /auth/login', async () => {
    await cutOff()
    await server`alter database ${server(database)} rename to ${server(`${database}_away`)}`
    try {
      const answer = await requests['POST /auth/login']()
      expect(answer.status).toBe(503)
      expect(answer.headers.get('retry-after')).toBe('2')
      expect((await problem(answer)).code).toBe('database_unavailable')
    } finally {
      await server`alter database ${server(`${database}_away`)} rename to ${server(database)}`
    }
  })
})

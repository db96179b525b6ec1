import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { fromStreamFields } from '../../shared/auth/revocation.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { createTcpProxy, type TcpProxy } from '../../test/support/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'

let database: TestDatabase
let proxy: TcpProxy
let redis: PrivateRedis
let stream: Redis
let fullStack: FullStack
beforeAll(async () => {
  database = await createTestDatabase()
  redis = await startPrivateRedis()
  stream = new Redis(redis.url)
  const url = new URL(database.url)
  proxy = await createTcpProxy({ host: url.hostname, port: Number(url.port) })
  url.port = `${proxy.port}`
  fullStack = await createFullStack({
    environment: { REDIS_URL: redis.url },
    remains: { secrets: await generateSecrets(), databaseUrl: url.href },
  })
})
afterAll(async () => {
  await proxy.close()
  await fullStack.close()
  stream.disconnect()
  await redis.stop()
  await database.drop()
})

async function streamed(subject: string) {
  const entries = await stream.xrange('gatehouse:revocations', '-', '+')
  return entries.map(([, fields]) => fromStreamFields(fields)).filter((entry) => entry?.subject === subject)
}

async function signUp(email: string) {
  const { tokens } = await fullStack.signUp(email)
  const [session] = await fullStack.sql<[{ id: string; user_id: string }]>`
    select id, user_id from sessions order by created_at desc limit 1`
  return { ...tokens, sessionId: session.id, userId: session.user_id }
}

const logout = (refresh_token: string) => fullStack.post('/auth/logout', { refresh_token })

describe('a revocation is in the stream', () => {
  test('right after its commit, and again by the relay, with the same expiry', async () => {
    const { refresh_token, sessionId } = await signUp('ada@example.com')
    expect((await logout(refresh_token)).status).toBe(204)
    await vi.waitFor(async () => expect(await streamed(sessionId)).toHaveLength(2), { timeout: 5000 })
    const [first, second] = await streamed(sessionId)
    expect(first).toEqual({ ...second, scope: 'session', epoch: null })
  })

  test('with its epoch, where a role changes', async () => {
    const { userId } = await signUp('bob@example.com')
    const admin = await fullStack.signUp('admin@example.com')
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'admin') where email = ${admin.email}`
    const { access_token } = await fullStack.login(admin.email, admin.password)
    const change = await fullStack.call(`/admin/users/${userId}/role`, {
      method: 'PUT',
      headers: { ...bearer(access_token), 'content-type': 'application/json' },
      body: JSON.stringify({ role: 'subscriber' }),
    })
    expect(change.status).toBeLessThan(300)
    await vi.waitFor(async () => expect(await streamed(userId)).toHaveLength(2), { timeout: 5000 })
    expect(await streamed(userId)).toEqual(
      Array(2).fill(expect.objectContaining({ scope: 'user', epoch: 1 })),
    )
  })

  // The bound of 1 s must not depend on a second statement of a database that has just gone.
  test('although the database goes away with the commit', async () => {
    const { refresh_token, sessionId } = await signUp('eve@example.com')
    expect((await logout(refresh_token)).status).toBe(204)
    proxy.silence()
    await vi.waitFor(async () => expect((await streamed(sessionId)).length).toBeGreaterThan(0), {
      timeout: 1000,
    })
    proxy.restore()
  })

  test('not where the transaction is rolled back', async () => {
    const { refresh_token, sessionId } = await vi.waitFor(() => signUp('zoe@example.com'), { timeout: 5000 })
    await fullStack.sql`alter table audit_logs add constraint none check (action <> 'session.ended') not valid`
    expect((await logout(refresh_token)).status).toBe(500)
    await fullStack.sql`alter table audit_logs drop constraint none`
    expect(await streamed(sessionId)).toEqual([])
  })
})

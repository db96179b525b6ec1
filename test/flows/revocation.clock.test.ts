import { Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { createRevocationStream } from '../../gateway/adapters/node/revocation-stream.ts'
import { raisePlanEpoch, raiseRoleEpoch } from '../../origin/entitlements/epochs.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { type PrivateRedis, startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { createCapturedLog } from '../support/captured-log.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

/** The promised bounds, with Redis and without. */
const boundMs = { stream: 1000, unwritten: 2000, feed: 5000 }

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/**
 * Gateway and origin as they run in production: revocations by Redis where there is one, and a
 * clock of their own.
 */
async function startFullStack(redis?: PrivateRedis, remains?: FullStack['remains']) {
  const { log } = createCapturedLog('gateway')
  const url = redis?.url
  const fullStack = await createFullStack({
    environment: { ...highLimits, ...(url && { REDIS_URL: url }) },
    revocations: {
      revocationTickMs: 1000,
      revocationStream: url
        ? createRevocationStream({ redisUrl: url, keyPrefix: 'gatehouse:', log })
        : undefined,
    },
    ...(remains && { remains }),
  })
  closers.push(fullStack.close)
  if (redis) await untilSource(fullStack, 'stream')
  return fullStack
}

async function startRedis() {
  const redis = await startPrivateRedis()
  closers.push(redis.stop)
  return redis
}

async function untilSource(fullStack: FullStack, source: string) {
  await expect.poll(() => fullStack.revocationState.source, { timeout: 10_000, interval: 10 }).toBe(source)
}

let people = 0
const signUp = (fullStack: FullStack) => fullStack.signUp(`person-${people++}@example.com`)

async function outcome(fullStack: FullStack, token: string, path = '/v1/me'): Promise<string> {
  const answer = await fullStack.call(path, { headers: bearer(token) })
  return answer.ok ? 'ok' : `${answer.status} ${(await problem(answer)).code}`
}

async function logout(fullStack: FullStack, { refresh_token }: TokenResponse) {
  expect((await fullStack.post('/auth/logout', { refresh_token })).status).toBe(204)
}

async function refresh(fullStack: FullStack, { refresh_token }: TokenResponse): Promise<TokenResponse> {
  const answer = await fullStack.post('/auth/refresh', { refresh_token })
  expect(answer.status).toBe(200)
  return (await answer.json()) as TokenResponse
}

/** Milliseconds until every gateway answers so. */
async function timeUntil(
  fullStacks: FullStack[],
  token: string,
  expected: string,
  path?: string,
): Promise<number> {
  const startedAt = performance.now()
  for (const fullStack of fullStacks)
    await expect.poll(() => outcome(fullStack, token, path), { timeout: 20_000, interval: 10 }).toBe(expected)
  return performance.now() - startedAt
}

/** Milliseconds from a logout until every gateway answers 401 session_ended. */
async function timeToLogout(
  fullStack: FullStack,
  tokens: TokenResponse,
  gateways: FullStack[],
): Promise<number> {
  await logout(fullStack, tokens)
  return timeUntil(gateways, tokens.access_token, '401 session_ended')
}

describe('after a logout every gateway responds with 401 session_ended', () => {
  test('within 1 s with Redis', async () => {
    const redis = await startRedis()
    const one = await startFullStack(redis)
    const other = await startFullStack(redis, one.remains)
    for (let i = 0; i < 5; i++) {
      const { tokens } = await signUp(one)
      for (const fullStack of [one, other]) expect(await outcome(fullStack, tokens.access_token)).toBe('ok')
      expect(await timeToLogout(one, tokens, [one, other])).toBeLessThan(boundMs.stream)
    }
    expect(one.revocationState).toMatchObject({ source: 'stream' })
    expect(one.revocationState.lagMs).toBeLessThan(boundMs.stream)
  })

  test('within 5 s without', async () => {
    const one = await startFullStack()
    const other = await startFullStack(undefined, one.remains)
    const { tokens } = await signUp(one)
    for (const fullStack of [one, other]) expect(await outcome(fullStack, tokens.access_token)).toBe('ok')
    expect(await timeToLogout(one, tokens, [one, other])).toBeLessThan(boundMs.feed)
  })

  test('within 5 s where gateways reach Redis, but no origin writes to it', async () => {
    const redis = await startRedis()
    const silent = await startFullStack()
    const hearing = await startFullStack(redis, silent.remains)
    // For the relays every row looks as if it had been published.
    await hearing.sql`
      create function hide() returns trigger language plpgsql as $$
        begin new.published_at = now(); return new; end $$`
    await hearing.sql`create trigger hide before insert on revocations for each row execute function hide()`
    const { tokens } = await signUp(silent)
    expect(await outcome(hearing, tokens.access_token)).toBe('ok')
    expect(await timeToLogout(silent, tokens, [hearing])).toBeLessThan(boundMs.feed)
    expect(hearing.revocationState.source).toBe('stream')
  })

  test('within 2 s where no origin writes to the Redis of the gateway; /ready warns and the log says so', async () => {
    const redis = await startRedis()
    const silent = await startFullStack()
    const { log, lines } = createCapturedLog('gateway')
    const unwritten = await createFullStack({
      environment: highLimits,
      remains: silent.remains,
      revocations: {
        revocationTickMs: 1000,
        revocationStream: createRevocationStream({ redisUrl: redis.url, keyPrefix: 'gatehouse:', log }),
      },
    })
    closers.push(unwritten.close)
    await expect.poll(() => lines.some(({ msg }) => msg === 'redis connected')).toBe(true)
    for (let round = 0; round < 3; round++) {
      const { tokens } = await signUp(silent)
      expect(await outcome(unwritten, tokens.access_token)).toBe('ok')
      expect(await timeToLogout(silent, tokens, [unwritten])).toBeLessThan(boundMs.unwritten)
    }
    const ready = (await (await unwritten.call('/ready')).json()) as { checks: Record<string, unknown> }
    expect(ready.checks.revocations).toEqual({ status: 'warn', detail: 'feed' })
    const warnings = unwritten.logs.gateway.filter(({ msg }) => /^no origin writes to the rev/.test(`${msg}`))
    expect(warnings).toHaveLength(1)
    unwritten.upstreams.clear()
    const contactAt = unwritten.revocationState.contactAt ?? Number.NaN
    await expect
      .poll(() => Date.now() - (unwritten.revocationState.contactAt ?? 0), { timeout: 5000 })
      .toBeGreaterThan(2500)
    expect(unwritten.revocationState.contactAt).toBeLessThan(contactAt + 1500)
  })
})

describe('after a change of rights', () => {
  test.each([
    ['plan', raisePlanEpoch, 'free'],
    ['role', raiseRoleEpoch, 'user'],
  ] as const)(
    '401 claims_stale for all of a %s by one row, and a refresh goes on',
    async (_, raise, name) => {
      const redis = await startRedis()
      const fullStack = await startFullStack(redis)
      const crowd = [await signUp(fullStack), await signUp(fullStack), await signUp(fullStack)]
      await fullStack.sql`truncate revocations`
      await fullStack.sql.begin((transaction) => raise(transaction, name))
      expect(await fullStack.sql`select from revocations`).toHaveLength(1)
      for (const { tokens } of crowd) {
        expect(await timeUntil([fullStack], tokens.access_token, '401 claims_stale')).toBeLessThan(
          boundMs.stream,
        )
        const next = await refresh(fullStack, tokens)
        expect(await outcome(fullStack, next.access_token)).toBe('ok')
        expect(await outcome(fullStack, tokens.access_token)).toBe('401 claims_stale')
      }
    },
  )

  // The change needs no job, no new login and no end of the token: the next call after the bound
  // shows it.
  test('in mid-session: a downgrade, a demotion and a booking by the admin API take effect within 1 s, and the refreshed token has the new permissions', async () => {
    const fullStack = await startFullStack(await startRedis())
    const { tokens: boss } = await fullStack.signUp('boss@example.com')
    const { tokens } = await fullStack.signUp('ada@example.com')
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'superadmin') where email = 'boss@example.com'`
    const { access_token: admin } = await refresh(fullStack, boss)
    const [ada] = await fullStack.sql<
      [{ id: string }]
    >`select id from user_accounts where email = 'ada@example.com'`
    const change = async (path: string, body: object) => {
      const answer = await fullStack.call(`/admin/users/${ada.id}/${path}`, {
        method: 'PUT',
        headers: { ...bearer(admin), 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      expect(answer.ok).toBe(true)
    }

    let session = tokens
    const steps = [
      ['subscription', { plan: 'pro' }, 'ok'],
      ['subscription', { plan: 'free' }, '403 feature_required'],
      ['subscription', { plan: 'enterprise' }, 'ok'],
      ['role', { role: 'guest' }, '403 permission_required'],
    ] as const
    for (const [path, body, expected] of steps) {
      await change(path, body)
      const before = session.access_token
      const elapsed = await timeUntil([fullStack], before, '401 claims_stale', '/v1/reports')
      expect(elapsed).toBeLessThan(boundMs.stream)
      session = await refresh(fullStack, session)
      expect(await outcome(fullStack, session.access_token, '/v1/reports')).toBe(expected)
      expect(await outcome(fullStack, before, '/v1/reports')).toBe('401 claims_stale')
    }
    const live = await fullStack.sql`select from sessions where user_id = ${ada.id} and ended_at is null`
    expect(live).toHaveLength(1)
  })

  test('a change that was rolled back publishes nothing', async () => {
    const fullStack = await startFullStack(await startRedis())
    const { tokens } = await signUp(fullStack)
    const undone = fullStack.sql.begin(async (transaction) => {
      await raisePlanEpoch(transaction, 'free')
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    await fullStack.syncRevocations()
    expect(await outcome(fullStack, tokens.access_token)).toBe('ok')
  })
})

describe('Redis unavailable: no revocation is missed', () => {
  test('killed: within 5 s, by the feed; back: by the stream again', async () => {
    const redis = await startRedis()
    const fullStack = await startFullStack(redis)
    const [before, during, after] = [
      await signUp(fullStack),
      await signUp(fullStack),
      await signUp(fullStack),
    ]
    await redis.kill()
    expect(await timeToLogout(fullStack, before.tokens, [fullStack])).toBeLessThan(boundMs.feed)
    expect(fullStack.revocationState.source).toBe('feed')
    const health = (await (await fullStack.call('/ready')).json()) as { checks: Record<string, unknown> }
    expect(health.checks.revocations).toEqual({ status: 'warn', detail: 'feed' })

    await redis.restart()
    expect(await timeToLogout(fullStack, during.tokens, [fullStack])).toBeLessThan(boundMs.feed)
    await untilSource(fullStack, 'stream')
    await untilPublished(fullStack)
    expect(await timeToLogout(fullStack, after.tokens, [fullStack])).toBeLessThan(boundMs.stream)
  }, 40_000)

  test('paused: within 5 s, and by the stream again when it goes on', async () => {
    const redis = await startRedis()
    const fullStack = await startFullStack(redis)
    const [during, after] = [await signUp(fullStack), await signUp(fullStack)]
    redis.pause()
    expect(await timeToLogout(fullStack, during.tokens, [fullStack])).toBeLessThan(boundMs.feed)
    await untilSource(fullStack, 'feed')
    redis.resume()
    await untilSource(fullStack, 'stream')
    await untilPublished(fullStack)
    expect(await timeToLogout(fullStack, after.tokens, [fullStack])).toBeLessThan(boundMs.stream)
  }, 40_000)

  test('emptied while it is read, and a gateway that starts then has every revocation', async () => {
    const redis = await startRedis()
    const one = await startFullStack(redis)
    const [before, after] = [await signUp(one), await signUp(one)]
    await logout(one, before.tokens)
    await timeUntil([one], before.tokens.access_token, '401 session_ended')
    await emptied(redis)
    expect(await timeToLogout(one, after.tokens, [one])).toBeLessThan(boundMs.feed)
    await emptied(redis)
    const other = await startFullStack(redis, one.remains)
    for (const { tokens } of [before, after])
      expect(await outcome(other, tokens.access_token)).toBe('401 session_ended')
  })

  test('duplicate, reordered and malformed entries', async () => {
    const redis = await startRedis()
    const fullStack = await startFullStack(redis)
    const { tokens } = await signUp(fullStack)
    await fullStack.sql`update subscription_plans set epoch = 5 where name = 'free'`
    const fresh = await refresh(fullStack, tokens)
    const client = new Redis(redis.url)
    closers.push(() => client.disconnect())
    const at = Date.now()
    const add = (epoch: number) =>
      client.xadd(
        'gatehouse:revocations',
        '*',
        ...[
          'scope',
          'plan',
          'subject',
          'free',
          'epoch',
          `${epoch}`,
          'at',
          `${at}`,
          'until',
          `${at + 960_000}`,
        ],
      )
    await client.xadd('gatehouse:revocations', '*', 'hello', 'world')
    for (const epoch of [5, 3, 5, 2, 4]) await add(epoch)
    expect(await timeUntil([fullStack], tokens.access_token, '401 claims_stale')).toBeLessThan(boundMs.stream)
    expect(await outcome(fullStack, fresh.access_token)).toBe('ok')
  })
})

describe('a gateway that starts', () => {
  // An entry published between the first read of the feed and the start of the stream is in
  // neither, unless the gateway reads the feed again.
  test('401 session_ended within 1 s of hearing Redis for what came before that and after it had read the feed', async () => {
    const redis = await startRedis()
    const one = await startFullStack(redis)
    const { tokens } = await signUp(one)
    const { log } = createCapturedLog('gateway')
    const stream = createRevocationStream({ redisUrl: redis.url, keyPrefix: 'gatehouse:', log })
    const mayBegin = Promise.withResolvers<void>()
    const other = await createFullStack({
      environment: highLimits,
      remains: one.remains,
      revocations: {
        revocationTickMs: 3_600_000,
        revocationStream: {
          ...stream,
          async position() {
            await mayBegin.promise
            return stream.position()
          },
        },
      },
    })
    closers.push(other.close)
    await logout(one, tokens)
    await untilPublished(one)
    expect(await outcome(other, tokens.access_token)).toBe('ok')
    mayBegin.resolve()
    expect(await timeUntil([other], tokens.access_token, '401 session_ended')).toBeLessThan(boundMs.stream)
  })
})

async function emptied({ url }: PrivateRedis) {
  const client = new Redis(url)
  await client.flushall()
  client.disconnect()
}

async function untilPublished({ sql }: FullStack) {
  const left = async () => (await sql`select from revocations where published_at is null`).length
  await expect.poll(left, { timeout: 5000 }).toBe(0)
}

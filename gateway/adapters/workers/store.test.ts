import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Identity } from '../../../shared/auth/claims.ts'
import {
  completeMarkerKey,
  endedEpoch,
  type Revocation,
  revocationKey,
} from '../../../shared/auth/revocation.ts'
import { createIssuer } from '../../../test/support/gateway/issuer.ts'
import { redisForFile } from '../../../tools/servers/redis/test-redis.ts'
import type { ConsumeRequest } from '../../ports.ts'
import type { Reply } from './resp.ts'
import { createStore } from './store.ts'

let redis: Redis
let commands = 0
const keyPrefix = 'edge:'
const store = createStore({
  keyPrefix,
  ask: (asked) => {
    commands += asked.length
    return Promise.all(
      asked.map(([name = '', ...rest]) => redis.call(String(name), ...rest) as Promise<Reply>),
    )
  },
})

beforeAll(async () => {
  redis = new Redis(await redisForFile())
})
afterAll(() => redis.disconnect())
beforeEach(async () => {
  await redis.flushdb()
  await redis.set(completeMarkerKey(keyPrefix), 1)
  commands = 0
})

const issuer = await createIssuer()
const bearer = issuer.claims({ epoch: { user: 5, role: 6, plan: 7 } }) as unknown as Identity

const one: ConsumeRequest = { key: 'user:ada', windowSeconds: 60, quota: 3, tokens: 1, withoutStore: 'share' }
const other: ConsumeRequest = { ...one, key: 'address:10.0.0.1', quota: 9 }

const revoke = (scope: Revocation['scope'], subject: string, epoch: number) =>
  redis.set(revocationKey(keyPrefix, { scope, subject }), epoch)

const countsOf = async (...requests: ConsumeRequest[]) =>
  Promise.all(requests.map(({ key, windowSeconds }) => redis.get(`${keyPrefix}${windowSeconds}:${key}`)))

describe('a good token', () => {
  test('has all that it wants, in one command', async () => {
    const answer = await store.consumeUnlessRevoked(bearer, [one, other])
    expect(answer).toMatchObject({
      kind: 'consumed',
      results: [
        { granted: 1, used: 1, quota: 3, shared: true },
        { granted: 1, used: 1, quota: 9, shared: true },
      ],
    })
    expect(commands).toBe(1)
  })

  test('is one whose epochs are those in force', async () => {
    await revoke('user', bearer.sub, 5)
    await revoke('role', bearer.role, 6)
    await revoke('plan', bearer.plan, 7)
    expect(await store.consumeUnlessRevoked(bearer, [one])).toMatchObject({ kind: 'consumed' })
  })

  test('is rejected beyond the quota, with the time that is left', async () => {
    for (let i = 0; i < 3; i++) await store.consumeUnlessRevoked(bearer, [one])
    const answer = await store.consumeUnlessRevoked(bearer, [one])
    expect(answer).toMatchObject({ results: [{ granted: 0, used: 3 }] })
    expect(answer.kind === 'consumed' && answer.results[0]?.resetMs).toBeGreaterThan(50_000)
  })

  test('counts where gateways count that keep a connection, under the same keys', async () => {
    await store.consumeUnlessRevoked(bearer, [one, { ...one, tokens: 1 }])
    expect(await countsOf(one)).toEqual(['2'])
  })
})

describe('a revoked token has nothing, and nothing is counted', () => {
  test.each<[Revocation['scope'], string, number]>([
    ['session', bearer.sid, endedEpoch],
    ['user', bearer.sub, 6],
    ['role', bearer.role, 7],
    ['plan', bearer.plan, 8],
  ])('%s', async (scope, subject, epoch) => {
    await revoke(scope, subject, epoch)
    expect(await store.consumeUnlessRevoked(bearer, [one, other])).toEqual({ kind: 'revoked', scope })
    expect(await countsOf(one, other)).toEqual([null, null])
  })

  test('an ended session is reported before stale claims', async () => {
    await revoke('plan', bearer.plan, 8)
    await revoke('session', bearer.sid, endedEpoch)
    expect(await store.consumeUnlessRevoked(bearer, [])).toEqual({ kind: 'revoked', scope: 'session' })
  })
})

test('incomplete: no publisher has marked the revocation keys complete; no token is consumed', async () => {
  await redis.del(completeMarkerKey(keyPrefix))
  await revoke('session', bearer.sid, endedEpoch)
  expect(await store.consumeUnlessRevoked(bearer, [one])).toEqual({ kind: 'incomplete' })
  expect(await countsOf(one)).toEqual([null])
})

test('a good token without limits is consumed with no results', async () => {
  expect(await store.consumeUnlessRevoked(bearer, [])).toEqual({ kind: 'consumed', results: [] })
})

test('without a bearer nothing is held against anything', async () => {
  await redis.del(completeMarkerKey(keyPrefix))
  expect(await store.consumeUnlessRevoked(undefined, [one])).toMatchObject({
    kind: 'consumed',
    results: [{ granted: 1 }],
  })
})

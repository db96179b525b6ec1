import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import type { RequestContext } from '../http/request-context.ts'
import { createPasswordHasher } from '../passwords/hasher.ts'
import { createWorkerPool, type WorkerPool } from '../passwords/worker-pool.ts'
import { createLockout, type Lockout } from './lockout.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: FullStack
let pool: WorkerPool
let lockout: Lockout
let hashed = 0
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.post('/auth/register', { email, password })
  pool = createWorkerPool({ threads: 2, queue: 1 })
  const { PASSWORD_DIGEST_KEY: digestKey, PASSWORD_HASH_COST: cost } = fullStack.originConfig
  const hasher = await createPasswordHasher({ pool, digestKey, cost })
  lockout = createLockout({
    sql: fullStack.sql,
    passwords: {
      matches(attempt, account, turn) {
        hashed += 1
        return hasher.matches(attempt, account?.passwordHash, turn)
      },
    },
    maxAttempts: 5,
    windowSeconds: 900,
    lockoutSeconds: 900,
    queue: 64,
    notifyOwner: async () => {},
  })
})
afterAll(async () => {
  await pool.close()
  await fullStack.close()
})

const context = { ip: null, userAgent: null, requestId: 'test' }

async function evaluate(address: string, attempt: string) {
  hashed = 0
  const { reservation, passwordMatches } = await lockout.evaluate({ email: address }, attempt, [], context)
  if (!passwordMatches)
    await fullStack.sql.begin((transaction) => lockout.fail(transaction, reservation, context))
  return { state: reservation.state, passwordMatches, hashed }
}

// A path that hashes less responds sooner, and so says whether there is an account, and whether it
// is locked.
test('unknown, wrong, right and locked hash exactly once each', async () => {
  expect(await evaluate('nobody@example.com', password)).toEqual({
    state: 'granted',
    passwordMatches: false,
    hashed: 1,
  })
  expect(await evaluate(email, password)).toEqual({ state: 'granted', passwordMatches: true, hashed: 1 })
  for (let tries = 1; tries <= 5; tries++)
    expect(await evaluate(email, 'wrong')).toEqual({ state: 'granted', passwordMatches: false, hashed: 1 })
  expect(await evaluate(email, 'wrong')).toEqual({ state: 'locked', passwordMatches: false, hashed: 1 })
  expect(await evaluate(email, password)).toEqual({ state: 'locked', passwordMatches: false, hashed: 1 })
})

test('429 rate_limited: a known device that is locked, of an address over its failures, hashes nothing', async () => {
  const [account] = await fullStack.sql`select id from user_accounts where email = ${email}`
  const device = [{ id: crypto.randomUUID(), userId: account?.id }]
  const overLimit = { policies: ['credentials'], retryAfterSeconds: 812 }
  const attempt = async (from: RequestContext) => {
    const { reservation, passwordMatches } = await lockout.evaluate({ email }, 'wrong', device, from)
    await fullStack.sql.begin((transaction) => lockout.fail(transaction, reservation, from))
    return passwordMatches
  }
  hashed = 0
  for (let tries = 1; tries <= 5; tries++) expect(await attempt({ ...context, overLimit })).toBe(false)
  expect(hashed).toBe(5)
  await expect(attempt({ ...context, overLimit })).rejects.toMatchObject({
    code: 'rate_limited',
    status: 429,
  })
  expect(hashed).toBe(5)
  expect(await attempt(context)).toBe(false)
  expect(hashed).toBe(6)
})

// Under a flood most tries are shed unseen: were they counted, the flood would lock everybody out.
test('503 overloaded: of twenty at once only those that were evaluated count', async () => {
  await fullStack.sql`truncate login_counters`
  const tries = await Promise.allSettled(Array.from({ length: 20 }, () => evaluate(email, 'wrong')))
  const shed = tries.filter((tried) => tried.status === 'rejected')
  expect(shed.length).toBeGreaterThan(0)
  for (const { reason } of shed) expect(reason).toMatchObject({ code: 'overloaded', status: 503 })
  const evaluated = tries.filter(
    (tried) => tried.status === 'fulfilled' && tried.value.state === 'granted',
  ).length
  const [row] = await fullStack.sql`select tries from login_counters`
  expect(row?.tries ?? 0).toBe(evaluated)
})

test('503 overloaded: many concurrent ones that are shed use up no attempt', async () => {
  await fullStack.sql`truncate login_counters`
  for (let round = 0; round < 10; round++) {
    const busy = Array.from({ length: 3 }, () => evaluate(`nobody${round}@example.com`, password))
    const shed = Array.from({ length: 5 }, () => evaluate(email, password))
    await Promise.allSettled([...busy, ...shed])
  }
  const counter = createHash('sha256').update(email).digest()
  expect(await fullStack.sql`select from login_counters where address_hash = ${counter}`).toHaveLength(0)
})

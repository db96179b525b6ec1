import { expect, test } from 'vitest'
import { attemptHeader } from '../../shared/http/headers.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  createGatewayHarness,
  type GatewayHarnessOptions,
  postRow,
} from '../../test/support/gateway/gateway-harness.ts'
import { parseList } from '../../test/support/structured-fields.ts'
import type { PolicyRow } from '../policy/policy.ts'
import { createFallbackStore } from './fallback-store.ts'
import { createMemoryStore } from './memory-store.ts'

const trial: PolicyRow = { ...postRow, path: '/login', limits: ['credentials'] }

/** A gateway whose upstream is a login that answers with the status it is asked for. */
async function createTrials({ environment, ...options }: GatewayHarnessOptions = {}) {
  const harness = await createGatewayHarness({
    environment: { LIMIT_FAILURES: '5', ...environment },
    policy: [trial],
    upstream: ({ target }) => new Response(null, { status: Number(target.split('?')[1]) }),
    ...options,
  })
  return {
    ...harness,
    tryWith: (status: number, address = '10.0.0.1') =>
      harness.call(`/login?${status}`, { method: 'POST', address }),
  }
}

test('429 rate_limited: the sixth login of one address after five failed ones, with a right or a wrong password', async () => {
  const { tryWith, forwarded } = await createTrials()
  for (let i = 0; i < 5; i++) expect((await tryWith(401)).status).toBe(401)
  const refused = await tryWith(200)
  expect(await problem(refused)).toMatchObject({
    status: 429,
    code: 'rate_limited',
    'violated-policies': ['credentials'],
  })
  expect(forwarded).toHaveLength(5)
  expect((await tryWith(200, '10.0.0.2')).status).toBe(200)
})

test('200: successful logins consume no token, however many share one address', async () => {
  const { tryWith } = await createTrials()
  for (let i = 0; i < 20; i++) expect((await tryWith(200)).status).toBe(200)
})

/** A login whose attempts are answered together, when all that may be in progress are. */
async function startCrowd(inProgress: number, statusOf: (index: number) => number) {
  const held: (() => void)[] = []
  const trials = await createTrials({
    environment: { LIMIT_FAILURES: String(inProgress) },
    upstream: () =>
      new Promise((resolve) => {
        const status = statusOf(held.length)
        held.push(() => resolve(new Response(null, { status })))
      }),
  })
  const answers = Array.from({ length: 2 * inProgress }, () => trials.tryWith(200))
  await expect.poll(() => held.length).toBe(inProgress)
  return {
    ...trials,
    /** The answers to all of the crowd. */
    async finish() {
      for (const respond of held.splice(0)) respond()
      return Promise.all(answers)
    },
  }
}

test('503 overloaded, never 429: of 200 concurrent correct logins those beyond the quota, with Retry-After 1', async () => {
  const { tryWith, finish } = await startCrowd(100, () => 200)
  const late = await tryWith(200)
  expect(late.headers.get('retry-after')).toBe('1')
  expect(parseList(late.headers.get('ratelimit'))).toEqual([
    { value: 'credentials', parameters: { r: 0, t: 1 } },
  ])
  expect((await problem(late)).code).toBe('overloaded')
  const answers = await finish()
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(100)
  const shed = answers.filter(({ status }) => status === 503)
  expect(shed).toHaveLength(100)
  for (const { headers } of shed) expect(headers.get('retry-after')).toBe('1')
})

test('429: once those in progress have failed, for the window; 503 before, as they might have succeeded', async () => {
  const { tryWith, finish } = await startCrowd(5, () => 401)
  expect((await tryWith(200)).status).toBe(503)
  const statuses = (await finish()).map(({ status }) => status)
  expect(statuses.filter((status) => status === 401)).toHaveLength(5)
  expect(statuses.filter((status) => status === 503)).toHaveLength(5)
  const refused = await tryWith(200)
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(800)
})

// A store answers with the count of the moment that it was asked in.
test('503 overloaded: tokens that were refunded during the store call', async () => {
  const memory = createMemoryStore({ shared: true, now: Date.now })
  const waiting: (() => void)[] = []
  let isHeld = false
  const { tryWith } = await createTrials({
    environment: { LIMIT_FAILURES: '1' },
    upstream: () => responses.promise,
    rateLimitStore: {
      async consume(requests) {
        const results = await memory.consume(requests)
        if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve))
        return results
      },
    },
  })
  const responses = Promise.withResolvers<Response>()
  const first = tryWith(200)
  await expect.poll(async () => (await tryWith(200)).status).toBe(503)
  isHeld = true
  const second = tryWith(200)
  await expect.poll(() => waiting.length).toBe(1)
  responses.resolve(new Response(null, { status: 200 }))
  expect((await first).status).toBe(200)
  waiting[0]?.()
  expect((await second).status).toBe(503)
})

// Else the address would be 503 for as long as the gateway runs.
test('429: an attempt that is counted and then 403 is a failure, and no longer in progress', async () => {
  const row: PolicyRow = { ...trial, who: 'user', permissions: { all: ['reports.read'] } }
  const { issuer, call, forwarded } = await createTrials({ policy: [row] })
  const headers = bearer(await issuer.sign({ permissions: [] }))
  const statuses: number[] = []
  for (let i = 0; i < 6; i++) statuses.push((await call('/login', { method: 'POST', headers })).status)
  expect(statuses).toEqual([403, 403, 403, 403, 403, 429])
  expect(forwarded).toHaveLength(0)
})

/** Attempts that an upstream answers 403, and says not failed in its header. */
async function statusesOfNotFailed(upstream: string) {
  const { tryWith } = await createTrials({
    policy: [{ ...trial, upstream }],
    transport: async () => new Response(null, { status: 403, headers: { [attemptHeader]: 'not_failed' } }),
  })
  const answers: Response[] = []
  for (let i = 0; i < 8; i++) answers.push(await tryWith(403))
  return answers
}

// A right password whose second factor is due is 403: an office of such users is not locked out.
test('403: attempts that the origin says have not failed count as no failures, and no client sees that', async () => {
  const answers = await statusesOfNotFailed('origin')
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(403))
  expect(answers[0]?.headers.get(attemptHeader)).toBeNull()
})

test('429: another upstream cannot say so', async () => {
  const answers = await statusesOfNotFailed('reports')
  expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403, 429, 429, 429])
})

// Nobody may gain tries by taking Redis down.
test.each([
  [1, 3],
  [4, 1],
  [100, 1],
])(
  '429: without Redis each of %i gateways allows %i failed attempts, half of its share and at least one',
  async (replicas, tries) => {
    const rateLimitStore = createFallbackStore({
      shared: { consume: () => Promise.reject(new Error('gone')) },
      local: createMemoryStore({ shared: false, now: Date.now }),
      replicas,
      now: Date.now,
      log: createCapturedLog('gateway').log,
    })
    const { tryWith } = await createTrials({
      rateLimitStore,
      environment: { GATEWAY_REPLICAS: `${replicas}` },
    })
    for (let i = 0; i < tries; i++) expect((await tryWith(401)).status).toBe(401)
    expect((await tryWith(200)).status).toBe(429)
  },
)

import { expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createStand, postRow, type StandOptions } from '../../test/support/stand.ts'
import { problem } from '../../test/support/world.ts'
import type { RouteRow } from '../policy/policy.ts'
import { createFallbackCounter } from './fallback-store.ts'
import { createMemoryCounter } from './memory-store.ts'

const trial: RouteRow = { ...postRow, path: '/login', limits: ['credentials'] }

/** A gateway whose upstream is a login that answers with the status it is asked for. */
async function createTrials({ environment, ...options }: StandOptions = {}) {
  const stand = await createStand({
    environment: { LIMIT_FAILURES: '5', ...environment },
    policy: [trial],
    upstream: ({ target }) => new Response(null, { status: Number(target.split('?')[1]) }),
    ...options,
  })
  return {
    ...stand,
    tryWith: (status: number, address = '10.0.0.1') =>
      stand.call(`/login?${status}`, { method: 'POST', address }),
  }
}

test('429 rate_limited: the sixth try of one address to get in after five that failed, right or wrong', async () => {
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

test('200: those who get in use up no try, however many sit behind one address', async () => {
  const { tryWith } = await createTrials()
  for (let i = 0; i < 20; i++) expect((await tryWith(200)).status).toBe(200)
})

// Nobody may gain tries by taking Redis down.
test.each([
  [1, 3],
  [4, 1],
  [100, 1],
])(
  '429: without Redis each of %i gateways lets %i tries fail, half of its share and never none',
  async (replicas, tries) => {
    const counter = createFallbackCounter({
      shared: { take: () => Promise.reject(new Error('gone')) },
      local: createMemoryCounter({ shared: false, now: Date.now }),
      replicas,
      now: Date.now,
      log: createCapturedLog('gateway').log,
    })
    const { tryWith } = await createTrials({ counter, environment: { GATEWAY_REPLICAS: `${replicas}` } })
    for (let i = 0; i < tries; i++) expect((await tryWith(401)).status).toBe(401)
    expect((await tryWith(200)).status).toBe(429)
  },
)

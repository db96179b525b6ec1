import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { gatewayAudience } from '../../shared/auth/assertion.ts'
import type { RateLimitReport } from '../../shared/contract.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { assertionFrom, postReport } from '../../test/support/full-stack/origin-call.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { LIMIT_ADDRESS_REQUESTS: '2' } })
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate rate_limit_logs`)

const path = '/internal/gateway/refusals'
const refusal = { class: 'address', key: '203.0.113.7', method: 'GET', route: '/v1/plans', count: 3 }

const post = (body: unknown, headers?: Record<string, string>) => postReport(fullStack, path, body, headers)

const kept = () => fullStack.sql`
  select limit_class, limit_key, method, route, refused from rate_limit_logs order by limit_class, limit_key`

describe('POST /internal/gateway/rejections', () => {
  test('204: rejections of the gateway are stored, with their count', async () => {
    const address = '198.51.100.9'
    for (let i = 0; i < 5; i++) await fullStack.call('/.well-known/jwks.json', { address })
    expect(await kept()).toEqual([])
    await fullStack.reportsFlushed()
    expect(await kept()).toEqual([
      {
        limit_class: 'address',
        limit_key: address,
        method: 'GET',
        route: '/.well-known/jwks.json',
        refused: 3,
      },
    ])
  })

  test('204: requests over a limit that only reports are marked', async () => {
    const refusals = [refusal, { ...refusal, class: 'search', report_only: true }]
    expect((await post({ dropped: 0, refusals })).status).toBe(204)
    const rows =
      await fullStack.sql`select limit_class, report_only from rate_limit_logs order by limit_class`
    expect(rows).toEqual([
      { limit_class: 'address', report_only: false },
      { limit_class: 'search', report_only: true },
    ])
  })

  test('204: a batch of a thousand of the longest is kept whole', async () => {
    const refusals = Array.from({ length: 1000 }, (_, i) => ({
      class: 'x'.repeat(40),
      key: String(i).padStart(200, 'é'),
      method: 'M'.repeat(20),
      route: `/${'ü'.repeat(199)}`,
      count: 2_147_483_647,
    }))
    expect((await post({ dropped: 0, refusals } satisfies RateLimitReport)).status).toBe(204)
    expect(await kept()).toHaveLength(1000)
  })

  test('204: no entries, only a number of dropped ones, which is logged', async () => {
    expect((await post({ dropped: 7, refusals: [] })).status).toBe(204)
    expect(fullStack.logs.origin).toContainEqual(expect.objectContaining({ dropped: 7, level: 'warn' }))
  })

  test.each<[string, unknown]>([
    ['another field', { dropped: 0, refusals: [], more: 1 }],
    ['another field in a refusal', { dropped: 0, refusals: [{ ...refusal, id: 1 }] }],
    ['a thousand and one', { dropped: 0, refusals: Array(1001).fill(refusal) }],
    ['a count of nothing', { dropped: 0, refusals: [{ ...refusal, count: 0 }] }],
    ['a count beyond the column', { dropped: 0, refusals: [{ ...refusal, count: 2 ** 31 }] }],
    ['a negative number', { dropped: -1, refusals: [] }],
    ['a NUL, which Postgres cannot hold', { dropped: 0, refusals: [{ ...refusal, key: 'a\0b' }] }],
    ['too long a key', { dropped: 0, refusals: [{ ...refusal, key: 'x'.repeat(201) }] }],
  ])('422 validation_failed: %s, and nothing is kept', async (_, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(422)
    expect((await problem(answer)).code).toBe('validation_failed')
    expect(await kept()).toEqual([])
  })

  // A user's request must not pass as the gateway's own by headers that the gateway adds.
  test('401 untrusted_caller: no assertion, that of a proxied request, or one past its end', async () => {
    const nowSeconds = Math.floor(Date.now() / 1000) - 3600
    const past = { audience: gatewayAudience, nowSeconds, expiresAtSeconds: nowSeconds + 300 }
    for (const headers of [
      {},
      { [assertionHeader]: await assertionFrom(fullStack) },
      { [assertionHeader]: await assertionFrom(fullStack, null, past) },
    ]) {
      const answer = await post({ dropped: 0, refusals: [refusal] }, headers)
      expect(answer.status).toBe(401)
      expect((await problem(answer)).code).toBe('untrusted_caller')
    }
    expect(await kept()).toEqual([])
  })
})

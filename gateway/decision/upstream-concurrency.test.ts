import { expect, test } from 'vitest'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'

// An upstream that hangs would hold a place in memory for everybody who waits, up to all that there
// is.
test('503 overloaded: all places of the upstream are taken; they come back with its responses', async () => {
  const mayAnswer = Promise.withResolvers<void>()
  const harness = await createGatewayHarness({
    environment: { UPSTREAM_REQUESTS: '2' },
    upstream: async () => {
      await mayAnswer.promise
      return new Response(null, { status: 204 })
    },
  })
  const waiting = [harness.call('/open'), harness.call('/open')]
  await expect.poll(() => harness.forwarded.length).toBe(2)
  const refused = await harness.call('/open')
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
  expect(await problem(refused)).toMatchObject({ status: 503, code: 'overloaded' })
  expect(harness.forwarded).toHaveLength(2)

  mayAnswer.resolve()
  for (const answer of waiting) expect((await answer).status).toBe(204)
  expect((await harness.call('/open')).status).toBe(204)
})

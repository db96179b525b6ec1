import { expect, test } from 'vitest'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createStand } from '../../test/support/gateway/gateway-harness.ts'

// An upstream that hangs would hold a place in memory for everybody who waits, up to all that there
// is.
test('503 overloaded: all places of the upstream are taken; they come back with its answers', async () => {
  const mayAnswer = Promise.withResolvers<void>()
  const stand = await createStand({
    environment: { UPSTREAM_REQUESTS: '2' },
    upstream: async () => {
      await mayAnswer.promise
      return new Response(null, { status: 204 })
    },
  })
  const waiting = [stand.call('/open'), stand.call('/open')]
  await expect.poll(() => stand.forwarded.length).toBe(2)
  const refused = await stand.call('/open')
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
  expect(await problem(refused)).toMatchObject({ status: 503, code: 'overloaded' })
  expect(stand.forwarded).toHaveLength(2)

  mayAnswer.resolve()
  for (const answer of waiting) expect((await answer).status).toBe(204)
  expect((await stand.call('/open')).status).toBe(204)
})

import { expect, test } from 'vitest'
import { createOriginClient } from './origin-client.ts'

// Requests that wait for the key set would wait as long.
test('a response of the origin that stalls is aborted after 3 s, and the origin sees the abort', async () => {
  let isCancelled = false
  const client = createOriginClient({
    originUrl: 'http://127.0.0.1:1',
    assertionFor: () => 'assertion',
    transport: async ({ signal }) => {
      signal.addEventListener('abort', () => {
        isCancelled = true
      })
      return new Response(
        new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('{')) }),
      )
    },
  })
  const startedAt = performance.now()
  await expect(client.get('/.well-known/jwks.json')).rejects.toThrow('no answer in 3000 ms')
  expect(performance.now() - startedAt).toBeGreaterThan(2900)
  expect(isCancelled).toBe(true)
})

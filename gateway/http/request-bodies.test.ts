import { describe, expect, test } from 'vitest'
import { createGatewayHarness, openRow, postRow } from '../../test/support/gateway/gateway-harness.ts'
import { TransportError } from '../ports.ts'

/**
 * Bodies of requests where a runtime has web streams. Over sockets:
 * `adapters/node/slow-bodies.test.ts`.
 */

const row = { ...postRow, body_bytes: 1024 ** 2 }

/** A body whose first piece comes, and then nothing. */
const stalled = () =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('half'))
    },
  })

describe('408 body_timeout', () => {
  test.each([
    ['streamed', row],
    ['gathered', postRow],
  ])('no byte for UPLOAD_IDLE_SECONDS, %s', async (_name, policyRow) => {
    const acted: string[] = []
    const harness = await createGatewayHarness({
      policy: [openRow, policyRow],
      environment: { UPLOAD_IDLE_SECONDS: '1' },
      async upstream({ body }) {
        acted.push(await new Response(body as BodyInit).text())
        return new Response()
      },
    })
    const answer = await harness.call('/open', { method: 'POST', body: stalled() })
    expect(answer.status).toBe(408)
    expect(await answer.json()).toMatchObject({ code: 'body_timeout' })
    expect(acted).toEqual([])
  })

  test('the deadline of its row passed while the client was waited for', async () => {
    const harness = await createGatewayHarness({
      policy: [openRow, row],
      async upstream({ body }) {
        const reader = (body as ReadableStream<Uint8Array>).getReader()
        await reader.read()
        void reader.read().catch(() => {})
        await new Promise((resolve) => setTimeout(resolve))
        throw new TransportError('timeout', undefined)
      },
    })
    const answer = await harness.call('/open', { method: 'POST', body: stalled() })
    expect(answer.status).toBe(408)
  })
})

test('504 upstream_timeout: the deadline of its row passed while the body was whole', async () => {
  const harness = await createGatewayHarness({
    policy: [openRow, row],
    async upstream({ body }) {
      await new Response(body as BodyInit).text()
      throw new TransportError('timeout', undefined)
    },
  })
  const answer = await harness.call('/open', { method: 'POST', body: 'whole' })
  expect(answer.status).toBe(504)
})

// No runtime forwards it: fetch cannot send one.
test.each([
  ['a length', { 'content-length': '4' }],
  ['chunks', { 'transfer-encoding': 'chunked' }],
])('400 body_not_allowed: a GET that says by %s that it has a body', async (_name, headers) => {
  const harness = await createGatewayHarness()
  for (const method of ['GET', 'HEAD']) {
    const answer = await harness.call('/open', { method, headers })
    expect(answer.status).toBe(400)
    if (method === 'GET') expect(await answer.json()).toMatchObject({ code: 'body_not_allowed' })
  }
  expect(harness.forwarded).toEqual([])
})

import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { postRow } from '../support/gateway/gateway-harness.ts'
import { closeSockets, openSocket, startGatewayWithUpstream } from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const megabyte = Buffer.alloc(1024 ** 2)
const offered = 128

/**
 * Systems hold a few megabytes in the buffers of each of four sockets. A body that waits in the
 * gateway would be held whole.
 */
const maxHeld = 48

/** Writes as fast as it is taken, and counts the megabytes that were. */
function pour(target: Writable) {
  const poured = { megabytes: 0 }
  const whole = (async () => {
    while (poured.megabytes < offered) {
      if (!target.write(megabyte)) await once(target, 'drain')
      poured.megabytes++
    }
    target.end()
  })()
  whole.catch(() => {})
  return poured
}

async function untilItRests(poured: { megabytes: number }): Promise<number> {
  let before: number
  do {
    before = poured.megabytes
    await new Promise((resolve) => setTimeout(resolve, 500))
  } while (poured.megabytes !== before || before === 0)
  return before
}

// One slow reader of a large answer must not fill the gateway's memory with it.
test('a client that stops reading stops the upstream; when it goes on, all arrives', {
  timeout: 60_000,
}, async () => {
  const started = Promise.withResolvers<ReturnType<typeof pour>>()
  const { port } = await startGatewayWithUpstream((_, response) => started.resolve(pour(response)))
  const client = await openSocket(port)
  client.pause()
  client.write('GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(await untilItRests(await started.promise)).toBeLessThan(maxHeld)
  let bytes = 0
  client.on('data', (chunk) => {
    bytes += chunk.length
  })
  client.resume()
  await once(client, 'close')
  expect(bytes).toBeGreaterThan(offered * megabyte.length)
})

test('an upstream that stops reading stops the client; when it goes on, all arrives', {
  timeout: 60_000,
}, async () => {
  const arrived = Promise.withResolvers<number>()
  const mayRead = Promise.withResolvers<void>()
  const { port } = await startGatewayWithUpstream(
    async (request, response) => {
      await mayRead.promise
      let bytes = 0
      for await (const chunk of request) bytes += chunk.length
      arrived.resolve(bytes)
      response.end()
    },
    { policy: [{ ...postRow, body_bytes: offered * megabyte.length }] },
  )
  const client = await openSocket(port)
  client.write(
    `POST /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${offered * megabyte.length}\r\n\r\n`,
  )
  expect(await untilItRests(pour(client))).toBeLessThan(maxHeld)
  mayRead.resolve()
  expect(await arrived.promise).toBe(offered * megabyte.length)
})

import { text } from 'node:stream/consumers'
import { afterEach, expect, test, vi } from 'vitest'
import { bodyOf, closeSockets, listen, openSocket, statusOf } from '../../../test/support/gateway/sockets.ts'
import { createHttpServer, fetchListener } from './http-server.ts'

afterEach(closeSockets)

/** A server of the origin's kind, whose framework reads bodies. */
async function start() {
  const read: string[] = []
  const server = createHttpServer({
    listener: fetchListener(async (request) => {
      read.push(await request.text())
      return new Response('ok')
    }),
    keepAliveSeconds: 5,
    deadlines: { headers: 0.2, request: 0.5, check: 0.05 },
  })
  return { port: await listen(server), read }
}

async function send(port: number, bytes: string) {
  const socket = await openSocket(port)
  socket.write(bytes)
  const answer = await text(socket)
  return { status: statusOf(answer), code: JSON.parse(bodyOf(answer)).code }
}

test('408 body_timeout: a body that does not come, and nothing is acted on', async () => {
  const printed = vi.spyOn(console, 'error')
  const { port, read } = await start()
  const answer = await send(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf')
  expect(answer).toEqual({ status: 408, code: 'body_timeout' })
  expect(read).toEqual([])
  expect(printed).not.toHaveBeenCalled()
  printed.mockRestore()
})

test.each([
  ['that does not end', 'POST / HTTP/1.1\r\nHost: x\r\n'],
  ['that does not come', ''],
])('408 head_timeout: a head %s', async (_name, bytes) => {
  const { port } = await start()
  expect(await send(port, bytes)).toEqual({ status: 408, code: 'head_timeout' })
})

test('400 bad_request: invalid chunks, answered once, whatever the framework does afterwards', async () => {
  const printed = vi.spyOn(console, 'error')
  const { port } = await start()
  const socket = await openSocket(port)
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')
  const answer = await text(socket)
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400'])
  expect(printed).not.toHaveBeenCalled()
  printed.mockRestore()
})

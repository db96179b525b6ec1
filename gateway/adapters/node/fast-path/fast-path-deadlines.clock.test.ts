import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import {
  closeSockets,
  openSocket,
  startGatewayWithUpstream,
} from '../../../../test/support/gateway/sockets.ts'

afterEach(closeSockets)

const get = 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'

const quick = { headers: 0.2, request: 5, check: 1 }

test('408 head_timeout: a silent client; later requests of the connection are ignored', async () => {
  let asked = 0
  const own = await startGatewayWithUpstream(
    (_request, response) => {
      asked++
      response.end()
    },
    { deadlines: quick },
  )
  const socket = connect({ port: own.port, host: '127.0.0.1', allowHalfOpen: true })
  await sleep(300)
  socket.end(get)
  const answer = await text(socket)
  await sleep(50)
  expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1)
  expect(asked).toBe(0)
})

test('a client that waits for its response is not silent: it may take longer than the head timeout', async () => {
  const own = await startGatewayWithUpstream(
    (_request, response) => void setTimeout(() => response.end('ok'), 500),
    {
      deadlines: quick,
    },
  )
  const socket = await openSocket(own.port)
  socket.write(get)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/ 200 OK\r\n/)
})

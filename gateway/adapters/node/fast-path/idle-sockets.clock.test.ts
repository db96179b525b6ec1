import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createHttpServer } from '../../../../shared/node/http/http-server.ts'
import { fastPath } from '../../../../test/support/gateway/fast-path.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

// A head is up to 16 kB and a body may be gathered: thousands of sockets that idle would keep as
// many of them.
test.each(['by Node’s server', 'on the fast path'])(
  'an idle socket keeps no reference to its last request: %s',
  async (way) => {
    const answers: WeakRef<object>[] = []
    const server = createHttpServer({
      keepAliveSeconds: 60,
      listener(_request, response) {
        answers.push(new WeakRef(response))
        response.end('ok')
      },
      ...fastPath({
        accepts: () => way === 'on the fast path',
        listener(_request, answer) {
          answers.push(new WeakRef(answer))
          answer.writeHead(200, ['content-length', '2'])
          answer.end('ok')
        },
      }),
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const agent = new Agent({ keepAlive: true })
    try {
      for (let requests = 0; requests < 2; requests++) {
        const { port } = server.address() as AddressInfo
        const [answer] = await once(get({ port, agent }), 'response')
        answer.resume()
        await once(answer, 'end')
      }
      await sleep(100)
      collectGarbage()
      expect(Object.values(agent.freeSockets).flat()).toHaveLength(1)
      expect(answers.map((answer) => answer.deref())).toEqual([undefined, undefined])
    } finally {
      agent.destroy()
      server.close()
    }
  },
)

test('a socket idle beyond the keep-alive timeout is closed, on the fast path, too', async () => {
  const server = createHttpServer({
    keepAliveSeconds: 0.1,
    listener: (_request, response) => void response.destroy(),
    ...fastPath({
      accepts: () => true,
      listener(_request, answer) {
        answer.writeHead(204, [])
        answer.end()
      },
    }),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  try {
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 204 /)
  } finally {
    socket.destroy()
    server.close()
  }
})

// A server that has stopped to listen would else wait for as long as the client keeps the
// connection.
test('a server that closes ends each connection with the response in progress', async () => {
  const mayAnswer = Promise.withResolvers<void>()
  const server = createHttpServer({
    keepAliveSeconds: 60,
    async listener(_request, response) {
      response.writeHead(200, { 'content-length': 2 }).flushHeaders()
      await mayAnswer.promise
      response.end('ok')
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const agent = new Agent({ keepAlive: true })
  try {
    const { port } = server.address() as AddressInfo
    const [answer] = await once(get({ port, agent }), 'response')
    const closed = once(server, 'close')
    server.close()
    mayAnswer.resolve()
    expect(await text(answer)).toBe('ok')
    await closed
  } finally {
    agent.destroy()
  }
})

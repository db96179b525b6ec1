import { createServer, type Socket } from 'node:net'
import { json } from 'node:stream/consumers'
import { ask, listen } from './sockets.ts'

/**
 * An upstream below HTTP: it does to a connection what the test says, once it has a request's head.
 */
export async function startRawUpstream(onRequest: (socket: Socket, count: number) => void) {
  let count = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      if (/^(GET|POST) /.test(String(data))) onRequest(socket, ++count)
    })
  })
  const upstreamPort = await listen(server)
  return { upstreamPort, count: () => count }
}

export async function problemOf(port: number, options: Parameters<typeof ask>[1] = {}) {
  const answer = await ask(port, options)
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: (await json(answer)) as Record<string, unknown>,
  }
}

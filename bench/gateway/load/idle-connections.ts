import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** So many at once, below what a server lets wait. */
const batch = 200

/**
 * Opens connections that ask once and then stay open, for as long as the work takes.
 *
 * @throws Error where one of them is closed before that
 */
export async function withIdleConnections<Result>(
  { url, count, requestOf }: { url: string; count: number; requestOf: (number: number) => string },
  work: () => Promise<Result>,
): Promise<Result> {
  const { hostname, port } = new URL(url)
  const sockets: Socket[] = []
  async function open(number: number) {
    const socket = connect({ host: hostname, port: Number(port) })
    sockets.push(socket)
    socket.write(requestOf(number))
    const [answer] = await once(socket, 'data')
    if (!String(answer).startsWith('HTTP/1.1 200 ')) throw new Error(`An idle connection was told ${answer}.`)
  }
  try {
    for (let opened = 0; opened < count; opened += batch) {
      const numbers = Array.from({ length: Math.min(batch, count - opened) }, (_, at) => opened + at)
      await Promise.all(numbers.map(open))
    }
    const result = await work()
    const closed = sockets.filter((socket) => socket.readableEnded || socket.destroyed).length
    if (closed > 0) throw new Error(`${closed} idle connections were closed: the bench is wrong.`)
    return result
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type TcpProxy = Awaited<ReturnType<typeof createTcpProxy>>

/** Stands between a client and a server, and does what networks do. */
export async function createTcpProxy(target: { host: string; port: number }) {
  const sockets = new Set<Socket>()
  /** Forwards nothing, in both directions, and tells nobody: the peer's host has lost its power. */
  let isSilent = false
  let isRefusing = false
  let isLosingReplies = false

  function keep(socket: Socket): Socket {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    return socket
  }

  const server = createServer((client) => {
    keep(client)
    if (isRefusing) {
      client.resetAndDestroy()
      return
    }
    const upstream = keep(connect(target))
    const forward = (from: Socket, to: Socket, isLost: () => boolean) => {
      from.on('data', (chunk) => {
        if (!isLost()) to.write(chunk)
      })
      from.on('close', () => {
        if (!isSilent) to.destroy()
      })
    }
    forward(client, upstream, () => isSilent)
    forward(upstream, client, () => isSilent || isLosingReplies)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size / 2,
    silence() {
      isSilent = true
    },
    refuse() {
      isRefusing = true
      for (const socket of sockets) socket.resetAndDestroy()
    },
    /** What the server answers from now on does not arrive. */
    loseReplies() {
      isLosingReplies = true
    },
    /** New connections work again; those that were silent stay so, as behind a new address. */
    restore() {
      for (const socket of sockets) socket.destroy()
      isSilent = false
      isRefusing = false
      isLosingReplies = false
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

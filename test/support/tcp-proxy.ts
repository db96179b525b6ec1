import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type TcpProxy = Awaited<ReturnType<typeof createTcpProxy>>

interface Target {
  host: string
  port: number
}

/**
 * A proxy between a client and a server that simulates network faults.
 *
 * @param target the server, or a function that chooses one for each connection
 * @param listenPort any free port by default
 */
export async function createTcpProxy(target: Target | (() => Target), listenPort = 0) {
  const chooseTarget = typeof target === 'function' ? target : () => target
  const sockets = new Set<Socket>()
  /** Drops all bytes, in both directions, without a reset: the peer's host has lost its power. */
  let isSilent = false
  let isRefusing = false
  let isLosingReplies = false
  let delayMs = 0
  let opened = 0
  /** Connections with what becomes of them. */
  const pairs = new Set<{ isAbandoned: boolean }>()

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
    const upstream = keep(connect(chooseTarget()))
    const pair = { isAbandoned: false }
    pairs.add(pair)
    opened++
    const forward = (from: Socket, to: Socket, isLost: () => boolean) => {
      from.on('data', (chunk) => {
        if (isLost() || pair.isAbandoned) return
        if (delayMs === 0) to.write(chunk)
        else setTimeout(() => to.writable && to.write(chunk), delayMs)
      })
      from.on('close', () => {
        if (!isSilent && !pair.isAbandoned) to.destroy()
      })
    }
    forward(client, upstream, () => isSilent)
    forward(upstream, client, () => isSilent || isLosingReplies)
  })
  server.listen(listenPort, '127.0.0.1')
  await once(server, 'listening')

  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size / 2,
    /** Connections that clients have opened so far. */
    opened: () => opened,
    silence() {
      isSilent = true
    },
    /**
     * Those that are open carry nothing any more and stay open, as when a firewall forgets them.
     * New ones are carried.
     */
    abandon() {
      for (const pair of pairs) pair.isAbandoned = true
    },
    /** From now on each chunk arrives so much later, in each direction. */
    delay(ms: number) {
      delayMs = ms
    },
    refuse() {
      isRefusing = true
      for (const socket of sockets) socket.resetAndDestroy()
    },
    /** Responses of the server no longer arrive. */
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

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  port: number
  /**
   * From here on the connections that are open carry nothing and are not closed, as when a firewall
   * forgets them. New ones are carried.
   */
  abandonConnections(): void
  /** Bytes arrive this much later, in each direction, on connections opened from here on. */
  delay(ms: number): void
  /** Connections that were opened so far. */
  opened(): number
  stop(): Promise<void>
}

/** Carries connections to a port of 127.0.0.1, through the faults of networks. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<[Socket, Socket]>()
  let delayMs = 0
  let opened = 0

  function forward(from: Socket, to: Socket, ms: number) {
    if (ms === 0) from.pipe(to)
    else {
      from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), ms))
      from.on('end', () => setTimeout(() => to.end(), ms))
    }
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    opened++
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    const pair: [Socket, Socket] = [client, target]
    pairs.add(pair)
    for (const [socket, other] of [pair, pair.toReversed() as [Socket, Socket]]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        if (pairs.delete(pair)) other.destroy()
      })
      forward(socket, other, delayMs)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const abandoned: Socket[] = []

  return {
    port: (server.address() as AddressInfo).port,
    abandonConnections() {
      for (const pair of pairs) {
        for (const socket of pair) {
          socket.unpipe()
          socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close')
          socket.pause()
          abandoned.push(socket)
        }
      }
      pairs.clear()
    },
    delay(ms) {
      delayMs = ms
    },
    opened: () => opened,
    async stop() {
      for (const socket of [...abandoned, ...[...pairs].flat()]) socket.destroy()
      pairs.clear()
      server.close()
      await once(server, 'close')
    },
  }
}

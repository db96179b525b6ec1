import { once } from 'node:events'
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net'

interface Backend {
  name: string
  port: number
}

/** Often enough that a backend that leaves is out well before it closes its door. */
const probeMs = 500
const probeTimeoutMs = 1000

/**
 * A TCP balancer, as in front of real gateways: it polls each backend's /ready, spreads new
 * connections over the ready ones in turn, and keeps established connections.
 */
export async function startBalancer(backends: readonly Backend[], listenPort: number) {
  const ready = new Set<Backend>()
  const open = new Set<Socket>()
  let turn = 0
  let cut = 0

  async function probe(backend: Backend): Promise<void> {
    const isReady = await fetch(`http://127.0.0.1:${backend.port}/ready`, {
      signal: AbortSignal.timeout(probeTimeoutMs),
      headers: { connection: 'close' },
    }).then(
      (answer) => answer.ok,
      () => false,
    )
    if (isReady) ready.add(backend)
    else ready.delete(backend)
  }

  const probeAll = () => Promise.all(backends.map(probe))
  await probeAll()
  const prober = setInterval(probeAll, probeMs)

  function track(socket: Socket): void {
    open.add(socket)
    socket.setNoDelay(true)
    socket.once('close', () => open.delete(socket))
  }

  /**
   * A backend that refuses the connection has not been given a byte, so the next one may have it.
   */
  function connect(client: Socket, candidates: readonly Backend[]): void {
    const [backend, ...others] = candidates
    if (!backend) return void client.destroy()
    const upstream = createConnection({ port: backend.port, host: '127.0.0.1' })
    track(upstream)
    upstream.once('error', () => {
      if (upstream.connecting || upstream.pending) {
        ready.delete(backend)
        connect(client, others)
      } else client.destroy()
    })
    upstream.once('connect', () => {
      // Clients do not pipeline: a response is due where the client sent last.
      let isOwed = false
      client.on('data', () => {
        isOwed = true
      })
      upstream.on('data', () => {
        isOwed = false
      })
      client.pipe(upstream)
      upstream.pipe(client)
      client.once('close', () => upstream.destroy())
      upstream.once('close', () => {
        if (isOwed && !client.destroyed) cut++
        client.destroy()
      })
    })
  }

  const server = createServer({ pauseOnConnect: false }, (client) => {
    track(client)
    client.once('error', () => client.destroy())
    const candidates = [...ready]
    turn++
    connect(client, [
      ...candidates.slice(turn % candidates.length),
      ...candidates.slice(0, turn % candidates.length),
    ])
  })
  server.listen(listenPort, '127.0.0.1')
  await once(server, 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /**
     * Requests whose connection a backend closed instead of answering. A client may not tell: Go's,
     * which is k6's, sends a GET again by itself.
     */
    cutRequests: () => cut,
    async untilReady(name: string): Promise<void> {
      while (![...ready].some((backend) => backend.name === name)) {
        await new Promise((resolve) => setTimeout(resolve, probeMs))
      }
    },
    async stop(): Promise<void> {
      clearInterval(prober)
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export type Balancer = Awaited<ReturnType<typeof startBalancer>>

import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A free loopback port below the ephemeral range. So no outgoing connection takes it between two
 * starts of a server, and a client that reconnects to a stopped server cannot get that port as its
 * own and connect to itself.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000)
    const probe = createServer()
    try {
      probe.listen(port, '127.0.0.1')
      await once(probe, 'listening')
      return port
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    } finally {
      probe.close()
    }
  }
}

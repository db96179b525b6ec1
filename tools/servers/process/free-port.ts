import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A loopback port that nobody listens on. It lies below the range from which systems take the ports
 * of outgoing connections, so none of those takes it between two starts of a server; and a client
 * that tries to reconnect to a stopped server cannot be given that very port as its own, and so be
 * connected to itself.
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

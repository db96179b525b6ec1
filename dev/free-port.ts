import { once } from 'node:events'
import { createServer } from 'node:net'

/** @throws Error where something listens there already */
export async function requireFreePort(host: string, port: number): Promise<void> {
  const server = createServer()
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    throw new Error(`Port ${port} on ${host} is not free (${(error as NodeJS.ErrnoException).code}).`)
  }
  server.close()
  await once(server, 'close')
}

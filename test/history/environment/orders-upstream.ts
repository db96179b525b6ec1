import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

export type OrdersUpstream = Awaited<ReturnType<typeof startOrdersUpstream>>

/** A service behind the gateways that counts the orders that reach it, by their request id. */
export async function startOrdersUpstream(port: number) {
  const counts: Record<string, number> = {}
  const server = createServer(async (request, response) => {
    const id = String(request.headers['x-request-id'])
    counts[id] = (counts[id] ?? 0) + 1
    // An order counts, also where its connection is lost before the end of the body.
    await text(request).catch(() => '')
    response.setHeader('content-type', 'application/json')
    response.end('{"status":"taken"}')
  })
  server.keepAliveTimeout = 75_000
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    counts,
    async stop(): Promise<void> {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

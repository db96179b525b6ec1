import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Actions on the environment that a scenario may request, by method and path; the result is the
 * response's body.
 */
type Actions = Record<string, () => unknown>

/**
 * Lets a scenario, which runs in k6, act on the environment in the middle of its run: it alone
 * knows when its moment has come.
 */
export async function startControl(actions: Actions) {
  const server = createServer(async (request, response) => {
    const action = actions[`${request.method} ${request.url}`]
    const [status, body] = action ? await run(action) : [404, { reason: 'no such action' }]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop(): Promise<void> {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function run(action: () => unknown): Promise<[status: number, body: unknown]> {
  try {
    return [200, await action()]
  } catch (error) {
    return [500, { reason: String(error) }]
  }
}

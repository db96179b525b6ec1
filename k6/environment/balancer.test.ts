import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { type Balancer, startBalancer } from './balancer.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/**
 * A gateway as a balancer sees one: it says whether it is ready, and its name to everything else.
 */
async function startBackend(name: string) {
  let ready = true
  let asked = false
  const port = await findFreePort()
  const server: Server = createServer((request, response) => {
    if (request.url === '/slow') {
      asked = true
      return
    }
    response.writeHead(request.url !== '/ready' || ready ? 200 : 503).end(name)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  closing.push(close)
  return {
    name,
    port,
    close,
    /** Whether a client waits for a response that never arrives. */
    isAsked: () => asked,
    leave() {
      ready = false
    },
  }
}

async function start(...names: string[]) {
  const backends = await Promise.all(names.map(startBackend))
  const balancer = await startBalancer(backends, await findFreePort())
  closing.push(balancer.stop)
  return { backends, balancer }
}

/** Names of the backends that answer, each request on a connection of its own. */
const ask = async ({ url }: Balancer) => (await fetch(url, { headers: { connection: 'close' } })).text()

const askMany = async (balancer: Balancer) =>
  new Set(await Promise.all(Array.from({ length: 6 }, () => ask(balancer))))

describe('the balancer', () => {
  test('gives connections to all ready instances, in turn', async () => {
    const { balancer } = await start('one', 'two')
    expect(await askMany(balancer)).toEqual(new Set(['one', 'two']))
  })

  test('sends none to an instance whose readiness fails, though it still responds', async () => {
    const { balancer, backends } = await start('one', 'two')
    backends[0]?.leave()
    await vi.waitFor(async () => expect(await askMany(balancer)).toEqual(new Set(['two'])), 5000)
  })

  test('uses another where one is gone before a check noticed it', async () => {
    const { balancer, backends } = await start('one', 'two')
    backends[0]?.close()
    expect(await askMany(balancer)).toEqual(new Set(['two']))
  })

  test('counts a request that was sent and got no response, and no other', async () => {
    const { balancer, backends } = await start('one')
    expect(await ask(balancer)).toBe('one')
    expect(balancer.cutRequests()).toBe(0)
    const asked = fetch(`${balancer.url}/slow`)
    await vi.waitFor(() => expect(backends[0]?.isAsked()).toBe(true))
    backends[0]?.close()
    await expect(asked).rejects.toThrow()
    expect(balancer.cutRequests()).toBe(1)
  })

  test('closes the connection where no instance is ready', async () => {
    const { balancer, backends } = await start('one')
    backends[0]?.close()
    await expect(ask(balancer)).rejects.toThrow()
    await expect(ask(balancer)).rejects.toThrow()
  })
})

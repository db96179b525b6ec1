import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateSecrets } from '../dev/secrets.ts'
import { createTcpProxy, type TcpProxy } from '../test/support/tcp-proxy.ts'
import { createTestDatabase, type TestDatabase } from '../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../tools/servers/process/free-port.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

/** As the mail relay has it: when the signal comes, it waits for a response. */
const relayMs = 3000

let database: TestDatabase
let proxy: TcpProxy
beforeAll(async () => {
  database = await createTestDatabase()
  const { hostname, port } = new URL(database.url)
  proxy = await createTcpProxy({ host: hostname, port: Number(port) })
})
afterAll(async () => {
  await proxy.close()
  await database.drop()
})

test('SIGTERM ends it with 0 within 15 s, although its database is gone without closing connections', async () => {
  const url = new URL(database.url)
  url.port = `${proxy.port}`
  const child = spawn(process.execPath, [main], {
    env: {
      ...(await generateSecrets()),
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      DRAIN_DELAY_SECONDS: '0',
      DRAIN_SECONDS: '1',
      DATABASE_URL: url.href,
      ORIGIN_PORT: `${await findFreePort()}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) if (line.includes('listening')) break
  child.stdout.resume()
  proxy.silence()
  await sleep(relayMs + 500)
  child.kill('SIGTERM')
  const sentAt = performance.now()
  expect(await ended).toEqual([0, null])
  expect(performance.now() - sentAt).toBeLessThan(15_000)
}, 60_000)

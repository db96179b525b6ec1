import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import { ask, closeSockets, listen } from '../../../test/support/gateway/sockets.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))

const row = (path: string) => `
  - method: GET
    path: ${path}
    upstream: orders
    who: public
    limits: [address]
`
const policy = (...paths: string[]) => `routes:${paths.map(row).join('')}`

/** Plans and names of the origin; a test may change them. */
let catalogue: object
let folder: string
let file: string
let child: ChildProcess | undefined
beforeEach(async () => {
  catalogue = { plans: [] }
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-policy-'))
  file = join(folder, 'policy.yaml')
})
afterEach(async () => {
  child?.kill('SIGKILL')
  child = undefined
  await closeSockets()
  await rm(folder, { recursive: true })
})

function spawnGateway(environment: Record<string, string>): ChildProcess {
  child = spawn(process.execPath, [main], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return child
}

/** A gateway that follows `file`, before an origin and an upstream that answer everything. */
async function start(environment: Record<string, string> = {}) {
  const origin = await listen(createServer((_, response) => response.end(JSON.stringify(catalogue))))
  const orders = await listen(createServer((_, response) => response.end('{}')))
  const port = await findFreePort()
  const { stdout } = spawnGateway({
    ASSERTION_PRIVATE_JWK: (await generateSecrets()).ASSERTION_PRIVATE_JWK,
    GATEWAY_PORT: String(port),
    UPSTREAMS: JSON.stringify({ reports: 'http://127.0.0.1:1', orders: `http://127.0.0.1:${orders}` }),
    LIMIT_ADDRESS_REQUESTS: '1000000',
    POLICY_FILE: file,
    ORIGIN_URL: `http://127.0.0.1:${origin}`,
    ...environment,
  })
  const lines: Record<string, unknown>[] = []
  if (stdout) createInterface(stdout).on('line', (line) => lines.push(JSON.parse(line)))
  const live = () => ask(port, { path: '/live' }).then(({ statusCode }) => statusCode)
  await expect.poll(() => live().catch(() => 0), { timeout: 10_000 }).toBe(200)
  const status = async (path: string) => (await ask(port, { path })).statusCode
  return { status, lines, reload: () => child?.kill('SIGHUP') }
}

test('78 at start: a file that cannot be used is named with its line and the reason', async () => {
  await writeFile(file, policy('/v1/orders').replace('GET', 'GIT'))
  const { ASSERTION_PRIVATE_JWK } = await generateSecrets()
  const gateway = spawnGateway({ ASSERTION_PRIVATE_JWK, POLICY_FILE: file })
  const errorOutput = gateway.stderr ? text(gateway.stderr) : Promise.resolve('')
  expect((await once(gateway, 'exit'))[0]).toBe(78)
  expect(await errorOutput).toContain(`${file}:2: routes.0.method`)
})

const permitted = (permission: string) =>
  policy('/v1/orders').replace('public', `user\n    permissions: { all: [${permission}] }`)
const names = { plans: [], features: [], permissions: ['orders.read', 'profile.read'] }

test('exit 78 at start: a row with an unknown permission, with its line and the nearest name', async () => {
  await writeFile(file, permitted('order.read'))
  const origin = await listen(createServer((_, response) => response.end(JSON.stringify(names))))
  const gateway = spawnGateway({
    ASSERTION_PRIVATE_JWK: (await generateSecrets()).ASSERTION_PRIVATE_JWK,
    POLICY_FILE: file,
    ORIGIN_URL: `http://127.0.0.1:${origin}`,
    UPSTREAMS: '{"orders":"http://127.0.0.1:1"}',
  })
  const errorOutput = gateway.stderr ? text(gateway.stderr) : Promise.resolve('')
  expect((await once(gateway, 'exit'))[0]).toBe(78)
  expect(await errorOutput).toContain(
    `${file}:6: permissions: The policy row GET /v1/orders asks for the permission order.read, which the origin does not have; the nearest is orders.read`,
  )
})

test('a changed file is rejected for such a row, until the origin has the permission', async () => {
  catalogue = names
  await writeFile(file, policy('/v1/orders'))
  const { status, lines, reload } = await start()
  await writeFile(file, permitted('carts.read'))
  reload()
  await expect
    .poll(() => lines.find(({ msg }) => String(msg).startsWith('policy file rejected')))
    .toMatchObject({ reasons: [{ line: 6, reason: expect.stringContaining('permission carts.read') }] })
  expect(await status('/v1/orders')).toBe(200)
  catalogue = { ...names, permissions: ['carts.read'] }
  reload()
  await expect.poll(() => status('/v1/orders')).toBe(401)
})

test.each(['debug', 'info', 'warn', 'error'])(
  'LOG_LEVEL=%s: one line says that a policy file is in use, and one that it was reloaded',
  async (level) => {
    await writeFile(file, policy('/v1/orders'))
    const { lines, reload } = await start({ LOG_LEVEL: level })
    const told = () => lines.filter(({ file: named }) => named === file).map(({ msg }) => msg)
    await expect.poll(told).toEqual(['policy file loaded'])
    reload()
    await expect.poll(told).toEqual(['policy file loaded', 'policy file applied'])
  },
)

test('a changed file decides from the next request on, and no request in progress is lost', async () => {
  await writeFile(file, policy('/v1/orders'))
  const { status, reload } = await start()
  expect(await status('/v1/orders')).toBe(200)
  expect(await status('/v1/carts')).toBe(404)

  let asking = true
  const statuses: (number | undefined)[] = []
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (asking) statuses.push(await status('/v1/orders'))
    }),
  )
  for (let round = 0; round < 5; round++) {
    await writeFile(file, policy('/v1/orders', round % 2 === 0 ? '/v1/carts' : '/v1/other'))
    reload()
    await expect.poll(() => status('/v1/carts')).toBe(round % 2 === 0 ? 200 : 404)
  }
  asking = false
  await load
  expect(statuses.length).toBeGreaterThan(10)
  expect(new Set(statuses)).toEqual(new Set([200]))
})

test('a file that another is renamed over is noticed without a signal', async () => {
  await writeFile(file, policy('/v1/orders'))
  const { status } = await start()
  await writeFile(`${file}.new`, policy('/v1/carts'))
  await rename(`${file}.new`, file)
  await expect.poll(() => status('/v1/carts'), { timeout: 5000 }).toBe(200)
  expect(await status('/v1/orders')).toBe(404)
})

test('a bad file, and then a missing one, leave the earlier policy in force; the log has line and reason', async () => {
  await writeFile(file, policy('/v1/orders'))
  const { status, lines, reload } = await start()
  await writeFile(file, policy('/v1/carts').replace('orders', 'nowhere'))
  reload()
  const refusal = () => lines.find(({ msg }) => String(msg).startsWith('policy file rejected'))
  await expect.poll(refusal).toMatchObject({
    reasons: [{ line: 4, reason: expect.stringContaining('goes to nowhere, which is no upstream') }],
  })
  expect(await status('/v1/orders')).toBe(200)
  await unlink(file)
  reload()
  await expect.poll(() => lines.some(({ msg }) => String(msg).startsWith('policy file not read'))).toBe(true)
  expect(await status('/v1/orders')).toBe(200)
  await writeFile(file, policy('/v1/carts'))
  await expect.poll(() => status('/v1/carts'), { timeout: 5000 }).toBe(200)
})

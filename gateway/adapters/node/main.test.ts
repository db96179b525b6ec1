import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateSecrets, type Secrets } from '../../../dev/secrets.ts'
import { createIssuer } from '../../../test/support/gateway/issuer.ts'
import { ask, closeSockets, listen } from '../../../test/support/gateway/sockets.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { redisForFile } from '../../../tools/servers/redis/test-redis.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))

let secrets: Secrets
let folder: string
const children: ChildProcess[] = []

beforeEach(async () => {
  secrets = await generateSecrets()
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-main-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await closeSockets()
  await rm(folder, { recursive: true })
})

/** Starts the gateway as a deployment does, with this environment and nothing else. */
function start(environment: Record<string, string>) {
  const child = spawn(process.execPath, [main], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return { child, output: text(child.stdout), errorOutput: text(child.stderr), exit: once(child, 'exit') }
}

const own = () => ({ ASSERTION_PRIVATE_JWK: secrets.ASSERTION_PRIVATE_JWK, DRAIN_DELAY_SECONDS: '0' })

describe('a configuration that cannot be used ends the process with 78 and the reason', () => {
  async function errorOutputOf(environment: Record<string, string>) {
    const { exit, errorOutput } = start(environment)
    expect((await exit)[0]).toBe(78)
    return errorOutput
  }

  test('missing', async () => {
    expect(await errorOutputOf({})).toContain('ASSERTION_PRIVATE_JWK is missing')
  })

  test('malformed, without repeating the value', async () => {
    const errorOutput = await errorOutputOf({ ASSERTION_PRIVATE_JWK: '{"kty":"EC","d":"S3cr3t-V4lue"}' })
    expect(errorOutput).toContain('ASSERTION_PRIVATE_JWK: ')
    expect(errorOutput).not.toContain('S3cr3t-V4lue')
  })

  test('a key whose numbers are no point of the curve', async () => {
    const jwk = JSON.parse(secrets.ASSERTION_PRIVATE_JWK)
    const other = { ...jwk, x: jwk.y, y: jwk.x }
    const errorOutput = await errorOutputOf({ ASSERTION_PRIVATE_JWK: JSON.stringify(other) })
    expect(errorOutput).toContain('ASSERTION_PRIVATE_JWK: has numbers that are no key of P-256')
  })

  test('an unknown name in .env', async () => {
    await writeFile(join(folder, '.env'), 'REDIS_ULR=redis://127.0.0.1\n')
    expect(await errorOutputOf(own())).toContain('REDIS_ULR is not a variable of Gatehouse')
  })

  test('a Redis of another kind than REDIS_URL says', async () => {
    const REDIS_URL = (await redisForFile()).replace(/^redis:(.*)\/\d+$/, 'redis-cluster:$1')
    expect(await errorOutputOf({ ...own(), REDIS_URL })).toContain('REDIS_URL: leads to one server')
  })

  test('REVOCATION_REDIS_URL likewise, which is named', async () => {
    const url = (await redisForFile()).replace(/^redis:(.*)\/\d+$/, 'redis-cluster:$1')
    const errorOutput = await errorOutputOf({ ...own(), REVOCATION_REDIS_URL: url })
    expect(errorOutput).toContain('REVOCATION_REDIS_URL: leads to one server')
    const withFile = await errorOutputOf({ ...own(), REVOCATION_REDIS_URL: 'rediss://one?ca_file=/none.pem' })
    expect(withFile).toContain('REVOCATION_REDIS_URL: ca_file cannot be read (ENOENT)')
  })

  test('production without Redis', async () => {
    expect(await errorOutputOf({ ...own(), NODE_ENV: 'production' })).toContain('REDIS_URL is missing')
  })
})

test('the environment wins over .env, which wins over the default', async () => {
  await writeFile(join(folder, '.env'), 'GATEWAY_PORT=1\nLOG_LEVEL=loud\n')
  const { exit, errorOutput } = start({ ...own(), GATEWAY_PORT: 'x', LOG_LEVEL: 'info' })
  await exit
  expect(await errorOutput).toContain('GATEWAY_PORT: ')
  expect(await errorOutput).not.toContain('LOG_LEVEL')
})

test.each(['GATEWAY_PORT', 'GATEWAY_METRICS_PORT'])('1: %s is in use, and is named', async (name) => {
  const taken = await listen(createServer())
  const ports = {
    GATEWAY_PORT: `${await findFreePort()}`,
    GATEWAY_METRICS_PORT: `${await findFreePort()}`,
    [name]: `${taken}`,
  }
  const { exit, output } = start({ ...own(), ...ports })
  expect((await exit)[0]).toBe(1)
  expect(await output).toContain(`${name}: port ${taken} on 127.0.0.1 is in use`)
})

test('UPSTREAMS={} in production: the gateway starts, as its own rows go to the origin alone', async () => {
  const port = await findFreePort()
  const { child, errorOutput, exit } = start({
    ...own(),
    NODE_ENV: 'production',
    GATEWAY_PORT: String(port),
    GATEWAY_HOSTS: '127.0.0.1',
    ISSUER_URL: 'https://api.example.com',
    UPGRADE_URL: 'https://app.example.com/upgrade',
    REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
    UPSTREAMS: '{}',
  })
  const live = () => ask(port, { path: '/live' }).then(({ statusCode }) => statusCode)
  const ended = exit.then(() => 'ended')
  await expect.poll(() => Promise.race([ended, live().catch(() => 0)]), { timeout: 10_000 }).not.toBe(0)
  expect(await live()).toBe(200)
  child.kill('SIGTERM')
  expect({ code: (await exit)[0], errorOutput: await errorOutput }).toEqual({ code: 0, errorOutput: '' })
})

test('UPSTREAM_CONNECTION_SECONDS: a connection that is always busy is replaced at that age', async () => {
  const connections = new Set<object>()
  const issuer = await createIssuer()
  const upstreamPort = await listen(
    createServer((request, response) => {
      if (request.url === '/busy') connections.add(request.socket)
      const isFeed = request.url?.startsWith('/internal/gateway/revocations')
      response.end(JSON.stringify(isFeed ? { entries: [], next: '1' } : issuer.jwks))
    }),
  )
  const port = await findFreePort()
  const row = { method: 'GET', path: '/busy', upstream: 'busy', who: 'public', limits: ['address'] }
  await writeFile(join(folder, 'policy.json'), JSON.stringify({ routes: [row] }))
  start({
    ...own(),
    GATEWAY_PORT: String(port),
    ORIGIN_URL: `http://127.0.0.1:${upstreamPort}`,
    UPSTREAMS: JSON.stringify({ busy: `http://127.0.0.1:${upstreamPort}` }),
    POLICY_FILE: 'policy.json',
    LIMIT_ADDRESS_REQUESTS: '1000000',
    UPSTREAM_CONNECTION_SECONDS: '1',
  })
  const busy = () =>
    ask(port, { path: '/busy' }).then(
      (answer) => text(answer).then(() => connections.size),
      () => 0,
    )
  await expect.poll(busy, { timeout: 10_000, interval: 20 }).toBe(1)
  await expect.poll(busy, { timeout: 5000, interval: 20 }).toBeGreaterThan(2)
})

test('SIGTERM: no new connection is accepted, the last response is finished, then exit 0; only JSON lines were printed', async () => {
  const issuer = await createIssuer()
  const mayAnswer = Promise.withResolvers<void>()
  let asked = 0
  const originPort = await listen(
    createServer(async (request, response) => {
      if (request.url === '/.well-known/jwks.json' && ++asked > 1) await mayAnswer.promise
      response.setHeader('content-type', 'application/json')
      const isFeed = request.url?.startsWith('/internal/gateway/revocations')
      response.end(JSON.stringify(isFeed ? { entries: [], next: '1' } : issuer.jwks))
    }),
  )
  const port = await findFreePort()
  const { child, exit, output } = start({
    ...own(),
    GATEWAY_PORT: String(port),
    ORIGIN_URL: `http://127.0.0.1:${originPort}`,
  })
  await expect
    .poll(
      () =>
        ask(port, { path: '/ready' }).then(
          ({ statusCode }) => statusCode,
          () => 0,
        ),
      { timeout: 10_000 },
    )
    .toBe(200)

  const slow = ask(port, { path: '/.well-known/jwks.json' })
  await expect.poll(() => asked).toBe(2)
  child.kill('SIGTERM')
  // Nobody new is let in, and whoever is in gets an answer.
  await expect
    .poll(() =>
      ask(port, { path: '/live' }).then(
        () => 'open',
        () => 'closed',
      ),
    )
    .toBe('closed')
  mayAnswer.resolve()
  expect((await slow).statusCode).toBe(200)
  expect((await exit)[0]).toBe(0)
  const messages = (await output)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).msg)
  expect(messages).toEqual(expect.arrayContaining(['listening', 'stopping', 'stopped']))
})

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { afterEach, describe, expect, inject, test, vi } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { startService } from '../../dev/service.ts'
import { startBalancer } from '../../k6/environment/balancer.ts'
import { migrate } from '../../origin/db/migrate.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { directUrl, serviceUrl } from '../../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { run } from '../../tools/servers/process/run.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'
import { highLimits } from '../support/high-limits.ts'
import { findPreviousRelease, unpackRelease } from '../support/release/previous-release.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const password = 'correct horse battery'
const previous = await findPreviousRelease()
if (previous === undefined)
  process.stdout.write(
    'No rolling upgrade is tested: the commit before the newest migration is not in this clone. git fetch --unshallow gets it.\n',
  )

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function createEmptyDatabase(): Promise<string> {
  const server = postgres(inject('postgresUrl'), { max: 1 })
  const name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
  await server`create database ${server(name)}`
  closers.push(async () => {
    await server`drop database ${server(name)} with (force)`
    await server.end()
  })
  return serviceUrl(name)
}

type Version = 'old' | 'new'

/** A balancer before both versions of a service, of which neither runs yet. */
async function createBalancedPorts() {
  const ports = { old: await findFreePort(), new: await findFreePort() }
  const balancer = await startBalancer(
    [
      { name: 'old', port: ports.old },
      { name: 'new', port: ports.new },
    ],
    0,
  )
  closers.push(balancer.stop)
  return { ports, balancer }
}

/** Gateway and origin of both versions: each gateway calls the origins of both in turn. */
async function createReleases(oldFolder: string, databaseUrl: string) {
  const gateways = await createBalancedPorts()
  const origins = await createBalancedPorts()
  const folders = { old: oldFolder, new: root }
  const shared = {
    ...(await generateSecrets()),
    PATH: process.env.PATH,
    NODE_ENV: 'test',
    LOG_LEVEL: 'error',
    DRAIN_DELAY_SECONDS: '3',
    DATABASE_URL: databaseUrl,
    REDIS_URL: await redisForFile(),
    PASSWORD_HASH_COST: '10',
    ORIGIN_URL: origins.balancer.url,
    ISSUER_URL: gateways.balancer.url,
    UPSTREAMS: JSON.stringify({ reports: origins.balancer.url }),
    ...highLimits,
  }

  async function start(version: Version, service: 'gateway' | 'origin') {
    const { ports, balancer } = service === 'gateway' ? gateways : origins
    const folder = folders[version]
    const port = ports[version]
    const running = startService({
      name: `${version} ${service}`,
      entry: join(folder, service === 'gateway' ? 'gateway/adapters/node/main.ts' : 'origin/main.ts'),
      environment: {
        ...shared,
        POLICY_FILE: join(folder, 'examples/reports/policy.yaml'),
        [service === 'gateway' ? 'GATEWAY_PORT' : 'ORIGIN_PORT']: `${port}`,
        GATEWAY_METRICS_PORT: `${await findFreePort()}`,
        ORIGIN_METRICS_PORT: `${await findFreePort()}`,
      },
      liveUrl: `http://127.0.0.1:${port}/live`,
      onUnexpectedEnd: (how) => process.stderr.write(`${version} ${service} ended (${how})\n`),
    })
    closers.push(running.stop)
    await running.listening
    await balancer.untilReady(version)
    return running
  }

  return { start, shared, url: gateways.balancer.url }
}

/** Clients that log in, refresh and read their account until they are stopped. */
async function startClients(url: string, count: number) {
  // A new connection for each request: the balancer gives them to the versions in turn.
  const agent = new Agent({ keepAlive: false })
  const failures: string[] = []
  let requests = 0
  let isOver = false

  async function ask(path: string, body?: object, token?: string) {
    requests++
    const asked = request(url + path, {
      agent,
      method: body ? 'POST' : 'GET',
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
    })
    asked.end(body && JSON.stringify(body))
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const answer = await text(response)
    if (!String(response.statusCode).startsWith('2'))
      throw new Error(`${path} answered ${response.statusCode}: ${answer}`)
    return answer === '' ? undefined : JSON.parse(answer)
  }

  async function session(email: string): Promise<void> {
    await ask('/auth/register', { email: `${randomBytes(8).toString('hex')}@example.com`, password })
    let tokens = (await ask('/auth/login', { email, password })) as TokenResponse
    for (let round = 0; round < 10 && !isOver; round++) {
      await ask('/v1/me', undefined, tokens.access_token)
      tokens = (await ask('/auth/refresh', { refresh_token: tokens.refresh_token })) as TokenResponse
      await sleep(20)
    }
    await ask('/auth/logout', { refresh_token: tokens.refresh_token })
  }

  async function runClient(email: string): Promise<void> {
    while (!isOver) await session(email).catch((error: Error) => failures.push(error.message))
  }

  const emails = Array.from({ length: count }, (_, index) => `user${index}@example.com`)
  await Promise.all(emails.map((email) => ask('/auth/register', { email, password })))
  const clients = emails.map(runClient)
  return {
    count: () => requests,
    async stop(): Promise<string[]> {
      isOver = true
      await Promise.all(clients)
      return failures
    },
  }
}

describe.skipIf(previous === undefined)(
  'a rolling upgrade from the commit before the newest migration',
  () => {
    test('no login, refresh or request fails: the old version serves through the migration, both serve, the old one leaves', async () => {
      const release = await unpackRelease(previous as string)
      closers.push(release.remove)
      const databaseUrl = await createEmptyDatabase()
      const { start, shared, url } = await createReleases(release.folder, databaseUrl)
      await run(process.execPath, [join(release.folder, 'origin/db/migrate.ts')], {
        env: shared as NodeJS.ProcessEnv,
      })
      const oldOrigin = await start('old', 'origin')
      const oldGateway = await start('old', 'gateway')
      const clients = await startClients(url, 6)
      const untilMoreRequests = (more: number) => {
        const before = clients.count()
        return vi.waitFor(() => expect(clients.count()).toBeGreaterThan(before + more), { timeout: 60_000 })
      }

      await untilMoreRequests(30)
      expect(await migrate(databaseUrl)).not.toEqual([])
      await untilMoreRequests(30)
      await start('new', 'origin')
      await start('new', 'gateway')
      await untilMoreRequests(200)
      await oldGateway.stop()
      await oldOrigin.stop()
      await untilMoreRequests(30)

      expect(await clients.stop()).toEqual([])
      const sql = postgres(directUrl(databaseUrl), { max: 1 })
      const reused = await sql`select from sessions where end_reason = 'refresh_reused'`
      await sql.end()
      expect(reused).toHaveLength(0)
    }, 240_000)
  },
)

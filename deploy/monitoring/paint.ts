import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closedLoop, sleep } from '../../bench/common/load.ts'
import { migrate } from '../../origin/db/migrate.ts'
import type { TokenResponse } from '../../shared/contract/accounts.ts'
import { startServices } from '../../test/monitoring/services.ts'
import { startChildServer } from '../../tools/servers/child-server.ts'
import { findFreePort } from '../../tools/servers/free-port.ts'
import { startPostgres } from '../../tools/servers/postgres.ts'
import { findPrometheusBinary } from '../../tools/servers/prometheus-binaries.ts'
import { startRedis } from '../../tools/servers/redis.ts'
import { createTemporaryFolder, removeFolder } from '../../tools/servers/temporary-folder.ts'
import { drawDashboard, queryRange, readPanels, toQuery } from './picture.ts'

/**
 * `npm run picture`: gateway, origin and a Prometheus that scrapes them, some minutes of load of
 * many kinds, and then the dashboard, drawn from what Prometheus answers.
 */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '6' },
    out: { type: 'string', default: 'docs/pictures/dashboard.svg' },
  },
})
const runMs = Number(values.minutes) * 60_000
const scrapeSeconds = 5
const password = 'correct horse battery'
const members = 40

const running: (() => Promise<unknown>)[] = []

async function startPrometheus(targets: { job: string; url: string }[]) {
  const folder = await createTemporaryFolder('prometheus')
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const config = {
    global: { scrape_interval: `${scrapeSeconds}s`, scrape_timeout: `${scrapeSeconds}s` },
    scrape_configs: targets.map(({ job, url }) => ({
      job_name: job,
      static_configs: [{ targets: [new URL(url).host] }],
    })),
  }
  // JSON is YAML.
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config))
  const { command, env } = await findPrometheusBinary('prometheus')
  const server = await startChildServer({
    command,
    args: [
      '--config.file=prometheus.yml',
      '--storage.tsdb.path=data',
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    folder,
    env,
    endSignal: 'SIGTERM',
    ping: async () => {
      if (!(await fetch(`${url}/-/ready`)).ok) throw new Error('not ready')
    },
  })
  running.push(async () => {
    await server.end()
    await removeFolder(folder)
  })
  return url
}

/** Load of many kinds, from many clients: what a day brings, in minutes. */
function createLoad(gateway: string) {
  const tokens: TokenResponse[] = []

  /**
   * Clients sit at many addresses, behind a proxy; somebody who tries passwords and made-up tokens
   * sits at one.
   */
  const somewhere = () => `198.51.100.${1 + Math.floor(Math.random() * 250)}`
  const attacker = '203.0.113.66'

  const post = (path: string, body: object, address = somewhere()) =>
    fetch(gateway + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
      body: JSON.stringify(body),
    })
  const get = (path: string, token?: string, address = somewhere()) =>
    fetch(gateway + path, {
      headers: {
        'x-forwarded-for': address,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    })
  const any = () => tokens[Math.floor(Math.random() * tokens.length)] as TokenResponse

  const member = () => `user${Math.floor(Math.random() * members)}@example.com`

  async function join(number: number): Promise<void> {
    const email = `user${number}@example.com`
    await post('/auth/register', { email, password })
    await login(email)
  }

  async function login(email: string): Promise<void> {
    const answer = await post('/auth/login', { email, password })
    if (answer.ok) tokens.push((await answer.json()) as TokenResponse)
  }

  /** Logs out, tries the token once more, and logs in again. */
  async function comeBack(): Promise<void> {
    const [left] = tokens.splice(Math.floor(Math.random() * tokens.length), 1)
    if (!left) return
    await post('/auth/logout', { refresh_token: left.refresh_token })
    await get('/v1/me', left.access_token)
    await login(member())
  }

  async function refresh(): Promise<void> {
    const index = Math.floor(Math.random() * tokens.length)
    const answer = await post('/auth/refresh', { refresh_token: tokens[index]?.refresh_token })
    if (answer.ok) tokens[index] = (await answer.json()) as TokenResponse
  }

  /** What a client does, and how often of a thousand times. */
  const deeds: [number, () => Promise<unknown>][] = [
    [620, () => get('/v1/me', any().access_token)],
    [160, () => get('/v1/plans')],
    [80, () => get('/v1/reports', any().access_token)],
    [40, () => get('/v1/subscription', any().access_token)],
    [25, () => refresh()],
    [15, () => get('/nowhere')],
    [12, () => post('/auth/login', { email: member(), password })],
    [3, () => post('/auth/login', { email: member(), password: 'not quite right' })],
    [6, () => post('/auth/register', { email: 'not an address' })],
    [4, () => comeBack()],
    [2, () => join(members + Math.floor(Math.random() * 1e6))],
    [25, () => get('/v1/me', `${any().access_token}x`, attacker)],
    [8, () => post('/auth/login', { email: 'user0@example.com', password: 'guess' }, attacker)],
  ]

  /** One of the deeds, by their shares. */
  function drawn(): Promise<unknown> {
    let left = Math.random() * 1000
    for (const [share, deed] of deeds) {
      left -= share
      if (left < 0) return deed()
    }
    return get('/v1/plans')
  }

  async function doSomething(): Promise<void> {
    const answer = await drawn()
    if (answer instanceof Response) await answer.arrayBuffer()
    await sleep(20 + Math.random() * 60)
  }

  return { join, doSomething }
}

try {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()])
  running.push(postgres.stop, redis.stop)
  await migrate(postgres.url)
  const services = await startServices({
    databaseUrl: postgres.url,
    redisUrl: redis.url,
    environment: { TRUSTED_PROXY_HOPS: '1', LIMIT_LEASE: '20' },
  })
  running.push(services.stop)
  const prometheus = await startPrometheus([
    { job: 'gatehouse-gateway', url: services.metrics.gateway },
    { job: 'gatehouse-origin', url: services.metrics.origin },
  ])
  const load = createLoad(services.gateway)
  await closedLoop({ clients: 4, count: members }, load.join)
  process.stdout.write(`Load for ${values.minutes} minutes ...\n`)
  const from = Date.now() / 1000
  await closedLoop({ clients: 16, maxMs: runMs }, load.doSomething)
  const range = { from: from + 4 * scrapeSeconds, to: Date.now() / 1000, stepSeconds: scrapeSeconds }
  const picture = await drawDashboard(await readPanels(), (expr) =>
    queryRange(prometheus, toQuery(expr, scrapeSeconds), range),
  )
  await writeFile(values.out, picture)
  process.stdout.write(`${values.out}: ${Math.round(picture.length / 1024)} kB\n`)
} finally {
  for (const stop of running.reverse()) await stop()
}

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'
import { startServices } from './services.ts'

let database: TestDatabase
let services: Awaited<ReturnType<typeof startServices>>
let scraped: { gateway: string; origin: string }
beforeAll(async () => {
  database = await createTestDatabase()
  // Several processes export what one does, and some of each.
  services = await startServices({
    databaseUrl: database.url,
    redisUrl: await redisForFile(),
    environment: { GATEWAY_PROCESSES: '2' },
  })
  await vi.waitFor(
    async () => {
      if (!(await fetch(`${services.gateway}/ready`)).ok) throw new Error('not ready')
    },
    { timeout: 20_000 },
  )
  const scrape = async (url: string) => (await fetch(`${url}/metrics`)).text()
  scraped = { gateway: await scrape(services.metrics.gateway), origin: await scrape(services.metrics.origin) }
})
afterAll(async () => {
  await services.stop()
  await database.drop()
})

/** The names of what is exported, as the comments above the series have them. */
const exported = (service: 'gateway' | 'origin') =>
  [...scraped[service].matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name as string)

const everything = () => new Set([...exported('gateway'), ...exported('origin')])

/** The metrics that a query names, without what a histogram adds to its own. */
const namedIn = (text: string) =>
  new Set(
    [...text.matchAll(/\b(gatehouse|process|nodejs)_[a-z0-9_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, ''),
    ),
  )

describe('every metric is exported by a service that runs', () => {
  test.each([
    ['that an alert names', 'deploy/monitoring/alerts.yml', 20],
    ['that the dashboard names', 'deploy/monitoring/grafana/dashboards/gatehouse.json', 30],
  ])('%s', (_, file, atLeast) => {
    const named = namedIn(readFileSync(file, 'utf8'))
    expect(named.size).toBeGreaterThan(atLeast)
    expect([...named].filter((name) => !everything().has(name))).toEqual([])
  })
})

/** Name, type and description, as a line of the docs has them. */
const described = (service: 'gateway' | 'origin') =>
  [...scraped[service].matchAll(/^# HELP (gatehouse_\S+) (.+)\n# TYPE \S+ (\w+)$/gm)].map(
    ([, name, help, type]) => `${name} | ${type} | ${help}`,
  )

test('docs/monitoring.md has each metric of this project, with type and meaning, and no other', () => {
  const rows = readFileSync('docs/monitoring.md', 'utf8').matchAll(
    /^\| `(gatehouse_\w+)` \| (\w+) \| [^|]*\| (.+) \|$/gm,
  )
  const documented = [...rows].map(([, name, type, help]) => `${name} | ${type} | ${help}`)
  const ours = new Set([...described('gateway'), ...described('origin')])
  expect(ours.size).toBeGreaterThan(40)
  expect(documented.toSorted()).toEqual([...ours].toSorted())
})

describe('a metric of this project', () => {
  test('is named for its service, in base units, a counter with _total', () => {
    for (const service of ['gateway', 'origin'] as const) {
      for (const [, name, type] of scraped[service].matchAll(/^# TYPE (gatehouse_\S+) (\w+)$/gm)) {
        expect(name).toMatch(new RegExp(`^gatehouse_(${service}_|build_info$|memory_limit_bytes$)`))
        expect({ name, isTotal: name?.endsWith('_total') }).toEqual({ name, isTotal: type === 'counter' })
        expect(name).not.toMatch(/_(ms|milliseconds|minutes|kilobytes|percent)$/)
      }
    }
  })
})

describe('the public port of the gateway', () => {
  test('404: /metrics is not public, and no upstream is called', async () => {
    for (const path of ['/metrics', '/metrics/', '//metrics', '/internal/metrics']) {
      const { status } = await fetch(services.gateway + path)
      expect({ path, refused: status === 404 || status === 400 }).toEqual({ path, refused: true })
    }
  })

  test('200: /health has the status of each part, and not memory, pool or uptime', async () => {
    const answer = await fetch(`${services.gateway}/health`)
    expect(answer.status).toBe(200)
    expect(Object.keys((await answer.json()) as object).toSorted()).toEqual(['checks', 'status'])
  })
})

test('the metrics port of the gateway has its health in full: origin and Redis checked, memory, uptime', async () => {
  const health = await (await fetch(`${services.metrics.gateway}/health`)).json()
  expect(health).toMatchObject({
    status: 'pass',
    checks: { origin: { status: 'pass' }, limiter: { status: 'pass', detail: 'redis' } },
    memory: { rss_bytes: expect.any(Number), limit_bytes: expect.any(Number) },
    connections: expect.any(Number),
    uptime_seconds: expect.any(Number),
  })
})

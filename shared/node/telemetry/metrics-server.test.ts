import { Counter, Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import { healthResponse } from '../../http/health.ts'
import { serveMetrics, startMetricsServer } from './metrics-server.ts'
import { collectProcessMetrics } from './process-metrics.ts'

const { log, lines } = createCapturedLog('origin')

let registry: Registry
let server: Awaited<ReturnType<typeof startMetricsServer>>
let health: () => Promise<Response>
beforeEach(async () => {
  registry = new Registry()
  health = async () => healthResponse({ database: { status: 'fail' } }, { uptime_seconds: 7 })
  server = await startMetricsServer({ hostname: '127.0.0.1', port: 0, registry, health: () => health(), log })
})
afterEach(() => server.close())

const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init)

describe('GET /metrics', () => {
  test('200: the figures of the registry, in the text format of Prometheus', async () => {
    new Counter({ name: 'things_total', help: 'Things.', registers: [registry] }).inc(3)
    const answer = await ask('/metrics')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await answer.text()).toContain('# TYPE things_total counter\nthings_total 3')
  })

  test('200: processor, memory, event loop and build of the process', async () => {
    collectProcessMetrics(registry, 'origin')
    const text = await (await ask('/metrics')).text()
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
    ])
      expect(text).toMatch(new RegExp(`^${name} `, 'm'))
    expect(text).toMatch(
      /^gatehouse_build_info\{service="origin",version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m,
    )
    expect(Number(/^gatehouse_memory_limit_bytes (.+)$/m.exec(text)?.[1])).toBeGreaterThan(1e8)
  })

  test('500: says what failed in the log alone', async () => {
    new Counter({
      name: 'broken_total',
      help: 'Broken.',
      registers: [registry],
      collect() {
        throw new Error('the inside of it')
      },
    })
    const answer = await ask('/metrics')
    expect(answer.status).toBe(500)
    expect(await answer.text()).toBe('')
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', msg: 'metrics not served' }))
  })
})

describe('GET /health', () => {
  test('503: what the service says in full', async () => {
    const answer = await ask('/health')
    expect(answer.status).toBe(503)
    expect(answer.headers.get('content-type')).toBe('application/health+json')
    expect(await answer.json()).toMatchObject({ checks: { database: { status: 'fail' } }, uptime_seconds: 7 })
  })
})

test('404: everything else, the names of what objects inherit among it', async () => {
  for (const path of ['/', '/live', '/constructor', '/metrics/x']) expect((await ask(path)).status).toBe(404)
})

test('200: HEAD, without a body', async () => {
  const answer = await ask('/metrics', { method: 'HEAD' })
  expect(answer.status).toBe(200)
  expect(await answer.text()).toBe('')
})

test('405: what is no GET', async () => {
  const answer = await ask('/metrics', { method: 'POST' })
  expect(answer.status).toBe(405)
  expect(answer.headers.get('allow')).toBe('GET, HEAD')
})

test('without a port nothing is served, and the log says so', async () => {
  const none = await serveMetrics({
    service: 'origin',
    hostname: '127.0.0.1',
    port: undefined,
    portVariable: 'ORIGIN_METRICS_PORT',
    registry,
    health,
    log,
  })
  await none.close()
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'metrics not served: no port is set' }))
})

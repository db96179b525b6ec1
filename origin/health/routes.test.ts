import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { createHealthRoutes } from './routes.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack()
})
afterAll(() => fullStack.close())

const poolLoad = () => ({ max: 10, inUse: 3, waiting: 0 })

const paths = ['/live', '/ready', '/health'] as const

describe.each(paths)('GET %s', (path) => {
  test('200: passes, in the media type of health responses, uncached', async () => {
    const answer = await fullStack.originFetch(path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/health+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.json()).toMatchObject({ status: 'pass' })
  })
})

describe('GET /ready', () => {
  test('200: instance and database were checked', async () => {
    const { checks } = (await (await fullStack.originFetch('/ready')).json()) as Record<string, unknown>
    expect(checks).toEqual({
      instance: { status: 'pass' },
      database: { status: 'pass', time_ms: expect.any(Number) },
      pool: { status: 'pass' },
    })
  })

  test('503: from the moment of a stop request, while the process still runs', async () => {
    const routes = createHealthRoutes({ sql: fullStack.sql, poolLoad, isStopping: () => true })
    const ready = await routes.request('/ready')
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({
      status: 'fail',
      checks: { instance: { status: 'fail', detail: 'stopping' }, database: { status: 'pass' } },
    })
    expect((await routes.request('/live')).status).toBe(200)
  })
})

describe('GET /health', () => {
  test('200: pool, memory in bytes and uptime in seconds', async () => {
    expect(await (await fullStack.originFetch('/health')).json()).toMatchObject({
      pool: { max: 10, in_use: expect.any(Number), waiting: expect.any(Number) },
      memory: {
        rss_bytes: expect.any(Number),
        heap_used_bytes: expect.any(Number),
        limit_bytes: expect.any(Number),
      },
      uptime_seconds: expect.any(Number),
    })
  })

  test('200 with status warn: how much of the pool is taken, and how many wait for it', async () => {
    const full = () => ({ max: 10, inUse: 10, waiting: 2 })
    const answer = await createHealthRoutes({ sql: fullStack.sql, poolLoad: full }).request('/health')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      status: 'warn',
      checks: { pool: { status: 'warn', detail: 'full' } },
      pool: { max: 10, in_use: 10, waiting: 2 },
    })
  })

  test('200: Redis is checked if configured, and warns where it does not respond', async () => {
    const answering = createHealthRoutes({ sql: fullStack.sql, poolLoad, askRedis: async () => 'PONG' })
    expect(await (await answering.request('/health')).json()).toMatchObject({
      status: 'pass',
      checks: { redis: { status: 'pass' } },
    })
    const lost = createHealthRoutes({
      sql: fullStack.sql,
      poolLoad,
      askRedis: () => Promise.reject(new Error('Connection is closed.')),
    })
    const answer = await lost.request('/health')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ status: 'warn', checks: { redis: { status: 'warn' } } })
  })
})

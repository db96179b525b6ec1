import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHistogram } from '../../../../shared/lib/histogram.ts'
import { bearer } from '../../../../test/support/full-stack/full-stack.ts'
import { closedRow, openRow, postRow } from '../../../../test/support/gateway/gateway-harness.ts'
import { ask, closeSockets, startGatewayWithUpstream } from '../../../../test/support/gateway/sockets.ts'
import { metricValues } from '../../../../test/support/metric-values.ts'
import { exposeMetrics } from './expose-metrics.ts'

type GatewayWithUpstream = Awaited<ReturnType<typeof startGatewayWithUpstream>>

const orderRow = { ...openRow, path: '/orders/{id}' }

let gatewayWithUpstream: GatewayWithUpstream
let registry: Registry
let answer: { status: number; delayMs: number }

async function start(environment: Record<string, string>) {
  answer = { status: 200, delayMs: 0 }
  gatewayWithUpstream = await startGatewayWithUpstream(
    (_request, response) => {
      response.statusCode = answer.status
      setTimeout(() => response.end('{}'), answer.delayMs)
    },
    { policy: [openRow, orderRow, postRow, closedRow], environment },
  )
  registry = new Registry()
  exposeMetrics({
    registry,
    values: gatewayWithUpstream.metrics.values,
    gauges: {
      keySetAgeSeconds: () => 12,
      tokensRemembered: () => 3,
      revocationEntries: () => 4,
      requestsInProgress: new Map([['reports', 2]]),
      rejectionsUnreported: () => 5,
    },
    revocationState: { source: 'stream', lagMs: 100, contactAt: 1000 },
    redis: { isUp: () => false, callSeconds: createHistogram([0.01]) },
    connections: async () => 6,
    now: () => 3500,
  })
}
beforeEach(() => start({ LIMIT_ADDRESS_REQUESTS: '3' }))
afterEach(closeSockets)

async function value(name: string, labels: Record<string, string | number> = {}) {
  return (await metricValues(registry)).value(`gatehouse_gateway_${name}`, labels)
}

describe('a request is counted once, under the pattern of its row', () => {
  test('with the status of the upstream, and its time', async () => {
    answer = { status: 418, delayMs: 30 }
    await ask(gatewayWithUpstream.port, { path: '/orders/1?secret=1' })
    await ask(gatewayWithUpstream.port, { path: '/orders/2' })
    const row = { method: 'GET', route: '/orders/{id}' }
    await expect.poll(() => value('http_requests_total', { ...row, status: 418 })).toBe(2)
    expect(await value('http_requests_total')).toBe(2)
    expect(await value('http_request_duration_seconds_count', row)).toBe(2)
    expect(await value('http_request_duration_seconds_sum', row)).toBeGreaterThan(0.05)
    expect(await value('upstream_duration_seconds_count', { upstream: 'reports' })).toBe(2)
    expect(await value('upstream_duration_seconds_sum', { upstream: 'reports' })).toBeGreaterThan(0.05)
  })

  test('where the gateway rejected it, with the code', async () => {
    await ask(gatewayWithUpstream.port, { path: '/closed' })
    const refused = { method: 'GET', route: '/closed', status: 401 }
    await expect.poll(() => value('http_requests_total', refused)).toBe(1)
    expect(await value('refusals_total', { code: 'token_missing' })).toBe(1)
  })

  test('where no row matches, under no path', async () => {
    for (const path of ['/a', '/b?c', '/%2e%2e']) await ask(gatewayWithUpstream.port, { path })
    await expect.poll(() => value('http_requests_total', { method: 'any', route: 'none' })).toBe(3)
  })

  test('where the gateway itself responds', async () => {
    await ask(gatewayWithUpstream.port, { path: '/live' })
    await expect
      .poll(() => value('http_requests_total', { method: 'GET', route: '/live', status: 200 }))
      .toBe(1)
  })
})

test('limits are counted by class, by how they were decided and by outcome', async () => {
  for (let requests = 0; requests < 5; requests++) await ask(gatewayWithUpstream.port, { path: '/open' })
  const address = { class: 'address' }
  await expect
    .poll(() => value('limit_decisions_total', { ...address, mode: 'shared', outcome: 'allowed' }))
    .toBe(3)
  expect(await value('limit_decisions_total', { ...address, mode: 'shared', outcome: 'refused' })).toBe(1)
  expect(await value('limit_decisions_total', { ...address, mode: 'remembered', outcome: 'refused' })).toBe(1)
  expect(await value('limit_decisions_total', { class: 'user' })).toBe(0)
})

test('a token is a miss once, and a hit from then on', async () => {
  const headers = bearer(await gatewayWithUpstream.issuer.sign())
  for (let requests = 0; requests < 3; requests++)
    await ask(gatewayWithUpstream.port, { path: '/closed', headers })
  expect(await value('token_lookups_total', { outcome: 'miss' })).toBe(1)
  expect(await value('token_lookups_total', { outcome: 'hit' })).toBe(2)
})

test('each part exports its metrics under their names', async () => {
  expect(await value('key_set_age_seconds')).toBe(12)
  expect(await value('tokens_remembered')).toBe(3)
  expect(await value('revocation_entries')).toBe(4)
  expect(await value('requests_under_way', { upstream: 'reports' })).toBe(2)
  expect(await value('refusals_untold_total')).toBe(5)
  expect(await value('connections_open')).toBe(6)
  expect(await value('redis_up')).toBe(0)
  expect(await value('revocation_contact_age_seconds')).toBe(2.5)
  expect(await value('revocation_source', { source: 'stream' })).toBe(1)
  expect(await value('revocation_source', { source: 'feed' })).toBe(0)
})

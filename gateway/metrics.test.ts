import { beforeEach, expect, test } from 'vitest'
import { Problem } from '../shared/http/errors.ts'
import { createGatewayMetrics, type GatewayMetrics } from './metrics.ts'

let metrics: GatewayMetrics
beforeEach(() => {
  metrics = createGatewayMetrics()
})

const row = { method: 'GET', path: '/v1/orders/{id}' }

test('requests are counted by row and status, and timed', () => {
  metrics.recordResponse(row, 200, 0.003)
  metrics.recordResponse(row, 200, 7)
  metrics.recordResponse(row, 429, 0.001)
  const [metricValues] = metrics.values.routes.values()
  expect(metricValues).toMatchObject({ method: 'GET', path: '/v1/orders/{id}' })
  expect([...(metricValues?.statuses ?? [])]).toEqual([
    [200, 2],
    [429, 1],
  ])
  expect(metricValues?.seconds.sum).toBeCloseTo(7.004)
})

test('a reloaded row continues its counts', () => {
  metrics.recordResponse(row, 200, 0)
  metrics.recordResponse({ ...row }, 200, 0)
  expect([...metrics.values.routes.values()].map(({ statuses }) => statuses.get(200))).toEqual([2])
})

test('requests without a row share one route label', () => {
  metrics.recordResponse(undefined, 404, 0)
  metrics.recordResponse(undefined, 400, 0)
  expect([...metrics.values.routes.keys()]).toEqual(['any none'])
})

test('limits are counted by class, by how they were decided and by what was decided', () => {
  metrics.recordLimitDecision('user', 'shared', 'allowed')
  metrics.recordLimitDecision('user', 'shared', 'refused')
  metrics.recordLimitDecision('credentials', 'local', 'refused')
  metrics.recordLimitDecision('search', 'shared', 'reported')
  const { limits } = metrics.values
  expect(limits.get('user')?.shared).toEqual({ allowed: 1, refused: 1, reported: 0 })
  expect(limits.get('credentials')?.local).toEqual({ allowed: 0, refused: 1, reported: 0 })
  expect(limits.get('address')?.shared).toEqual({ allowed: 0, refused: 0, reported: 0 })
  expect(limits.get('search')?.shared).toEqual({ allowed: 0, refused: 0, reported: 1 })
})

test('rejections, tokens, upstreams and revocations are counted, each for itself', () => {
  metrics.recordRejection(new Problem('invalid_token'))
  metrics.recordRejection(new Problem('invalid_token'))
  metrics.recordTokenLookup(true)
  metrics.recordTokenLookup(false)
  metrics.recordUpstreamResponse('origin', 0.02)
  metrics.recordUpstreamResponse('reports', 0.02)
  metrics.recordRevocationLag(0.3)
  const { rejections, tokens, upstreams, revocationLag } = metrics.values
  expect([...rejections]).toEqual([['invalid_token', 2]])
  expect(tokens).toEqual({ hit: 1, miss: 1 })
  expect([...upstreams.keys()]).toEqual(['origin', 'reports'])
  expect(revocationLag.sum).toBe(0.3)
})

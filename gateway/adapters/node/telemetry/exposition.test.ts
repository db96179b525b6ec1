import { Histogram, Registry } from 'prom-client'
import { beforeEach, expect, test } from 'vitest'
import { createHistogram } from '../../../../shared/lib/histogram.ts'
import { exposeCounter, exposeGauge, exposeHistogram } from './exposition.ts'

let registry: Registry
beforeEach(() => {
  registry = new Registry()
})

test('a counter shows what was counted up to the scrape', async () => {
  const counted = new Map([['a', 1]])
  exposeCounter(registry, { name: 'things_total', help: 'Things.', labels: ['kind'] }, () =>
    [...counted].map(([kind, count]) => [{ kind }, count] as const),
  )
  expect(await registry.metrics()).toContain('# TYPE things_total counter\nthings_total{kind="a"} 1')
  counted.set('a', 3).set('b', 1)
  expect(await registry.metrics()).toContain('things_total{kind="a"} 3\nthings_total{kind="b"} 1')
})

test('a gauge forgets a series that is read no more', async () => {
  let metricValues: [object, number][] = [[{}, 7]]
  exposeGauge(
    registry,
    { name: 'level', help: 'Level.' },
    () => metricValues as [Record<never, string>, number][],
  )
  expect(await registry.metrics()).toMatch(/^level 7$/m)
  metricValues = []
  expect(await registry.metrics()).not.toMatch(/^level 7$/m)
})

test('a histogram reads as one of prom-client does', async () => {
  const bounds = [0.1, 1]
  const values = [0.05, 0.1, 0.5, 30]
  const distribution = createHistogram(bounds)
  exposeHistogram(registry, { name: 'wait_seconds', help: 'Wait.', labels: ['route'] }, () => [
    [{ route: '/a' }, distribution],
  ])
  const other = new Registry()
  const histogram = new Histogram({
    name: 'wait_seconds',
    help: 'Wait.',
    labelNames: ['route'],
    buckets: bounds,
    registers: [other],
  })
  for (const value of values) {
    distribution.add(value)
    histogram.observe({ route: '/a' }, value)
  }
  const lines = async (from: Registry) => {
    const series = (await from.metrics()).trim().split('\n')
    // Labels have no order.
    return series.map((line) => line.replace(/\{(.*)\}/, (_, labels) => labels.split(',').toSorted().join()))
  }
  expect(await lines(registry)).toEqual(await lines(other))
})

import { Counter, Gauge, type Metric, type Registry } from 'prom-client'
import type { Histogram } from '../../../../shared/lib/histogram.ts'

/**
 * Exposes metrics that are kept elsewhere as plain numbers. They are read at a scrape, so that
 * counting is nearly free for a request.
 */

interface Described<Label extends string> {
  name: string
  help: string
  labels?: readonly Label[]
}

interface DescribedGauge<Label extends string> extends Described<Label> {
  /** One value for several processes on one port; by default their sum. */
  aggregator?: 'sum' | 'min' | 'max'
}

/** A value or a histogram with its labels. */
type Labeled<Label extends string, Value> = readonly [Record<Label, string | number>, Value]

export function exposeCounter<Label extends string = never>(
  registry: Registry,
  { name, help, labels = [] }: Described<Label>,
  read: () => Iterable<Labeled<Label, number>>,
): void {
  new Counter<Label>({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      this.reset()
      for (const [labelValues, value] of read()) this.inc(labelValues, value)
    },
  })
}

/** Series that are no longer read disappear. */
export function exposeGauge<Label extends string = never>(
  registry: Registry,
  { name, help, labels = [], aggregator = 'sum' }: DescribedGauge<Label>,
  read: () => Iterable<Labeled<Label, number>> | Promise<Iterable<Labeled<Label, number>>>,
): void {
  new Gauge<Label>({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    aggregator,
    async collect() {
      const samples = await read()
      this.reset()
      for (const [labelValues, value] of samples) this.set(labelValues, value)
    },
  })
}

/**
 * prom-client hides the buckets of its histograms, so this is a metric of its own.
 */
export function exposeHistogram<Label extends string = never>(
  registry: Registry,
  { name, help }: Described<Label>,
  read: () => Iterable<Labeled<Label, Histogram>>,
): void {
  const metric = {
    name,
    help,
    async get() {
      const values = [...read()].flatMap(([labels, histogram]) => seriesOf(name, labels, histogram))
      return { name, help, type: 'histogram', aggregator: 'sum', values }
    },
    reset() {},
  }
  registry.registerMetric(metric as unknown as Metric<Label>)
}

function seriesOf(name: string, labels: Record<string, string | number>, histogram: Histogram) {
  const { bounds, counts, sum } = histogram
  let count = 0
  const buckets = counts.map((inBucket, index) => {
    count += inBucket
    const le = bounds[index] ?? '+Inf'
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client'
import type { ProcessEntry, ProcessTable } from './process-table.ts'

export type MetricObject = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number]

/**
 * Metrics of prom-client whose own aggregation hides one bad process behind the others, or drops
 * them. The rest is summed, or aggregated as its definition says.
 */
const aggregators: Record<string, MetricObject['aggregator']> = {
  process_start_time_seconds: 'min',
  process_open_fds: 'max',
  process_max_fds: 'max',
  nodejs_eventloop_lag_seconds: 'max',
  nodejs_eventloop_lag_min_seconds: 'max',
  nodejs_eventloop_lag_max_seconds: 'max',
  nodejs_eventloop_lag_mean_seconds: 'max',
  nodejs_eventloop_lag_stddev_seconds: 'max',
  nodejs_eventloop_lag_p50_seconds: 'max',
  nodejs_eventloop_lag_p90_seconds: 'max',
  nodejs_eventloop_lag_p99_seconds: 'max',
}

const aggregate = (parts: readonly (readonly MetricObject[])[]): Registry =>
  AggregatorRegistry.aggregate(
    parts.map((part) =>
      part.map((metric) => ({ ...metric, aggregator: aggregators[metric.name] ?? metric.aggregator })),
    ),
  )

/** Totals stay true when their process has ended or is silent; a gauge of it says nothing. */
const totalsOf = (metrics: readonly MetricObject[]) =>
  metrics.filter(({ type }) => ['counter', 'histogram'].includes(`${type}`))

const readValue = (metrics: readonly MetricObject[], name: string) =>
  metrics.find((metric) => metric.name === name)?.values[0]?.value

/** The last metrics of a process, and whether they are of this scrape. */
interface Reported {
  metrics: readonly MetricObject[]
  isCurrent: boolean
}

/** Metrics of several processes as those of one gateway, with some of each process. */
export function createGroupMetrics(entries: ProcessTable['entries']) {
  const registry = new Registry()
  const last = new Map<number, Reported>()
  /** Totals of processes that ended, so that no counter falls. */
  let endedTotals: Promise<readonly MetricObject[]> = Promise.resolve([])

  const named = (name: string, help: string) => ({
    name: `gatehouse_gateway_process_${name}`,
    help,
    labelNames: ['process'] as const,
    registers: [registry],
  })

  function exposeGauge(name: string, help: string, read: (reported: Reported) => number | undefined) {
    new Gauge({
      ...named(name, help),
      collect() {
        this.reset()
        for (const { number } of entries) {
          const value = read(last.get(number) ?? { metrics: [], isCurrent: false })
          if (value !== undefined) this.set({ process: number }, value)
        }
      },
    })
  }
  /** Of a metric that the process itself reports. */
  const exposeReported = (name: string, help: string, reportedName: string) =>
    exposeGauge(name, help, ({ metrics, isCurrent }) =>
      isCurrent ? readValue(metrics, reportedName) : undefined,
    )

  exposeGauge('up', '1 where this process serves and answered the scrape in time.', ({ isCurrent }) =>
    isCurrent ? 1 : 0,
  )
  exposeReported(
    'connections',
    'Connections of clients at this process.',
    'gatehouse_gateway_connections_open',
  )
  exposeReported('memory_bytes', 'Resident memory of this process.', 'process_resident_memory_bytes')
  exposeReported(
    'eventloop_lag_p99_seconds',
    'Event loop delay of this process, 99th percentile.',
    'nodejs_eventloop_lag_p99_seconds',
  )
  new Counter({
    ...named('restarts_total', 'Times that this process ended unasked and was started again.'),
    collect() {
      this.reset()
      for (const { number, restarts } of entries) this.inc({ process: number }, restarts)
    },
  })

  async function readProcess(entry: Readonly<ProcessEntry>): Promise<void> {
    const { number, servesSinceMs, ask } = entry
    const metrics =
      servesSinceMs === undefined ? undefined : await ask?.<MetricObject[]>('metrics').catch(() => undefined)
    // Another process may have its number by now.
    if (entry.ask !== ask) return
    const known = last.get(number)
    if (metrics) last.set(number, { metrics, isCurrent: true })
    else if (known) last.set(number, { metrics: totalsOf(known.metrics), isCurrent: false })
  }

  return {
    /** Of the supervisor itself, among them those of each process. */
    registry,

    async scrape(): Promise<string> {
      await Promise.all(entries.map(readProcess))
      // Taken in one turn: a process that ends meanwhile is in one of the two, and in one alone.
      const reported = [...last.values()].map(({ metrics }) => metrics)
      const ended = endedTotals
      return aggregate([await registry.getMetricsAsJSON(), ...reported, await ended]).metrics()
    },

    /** Keeps the totals of a process that has ended. */
    keepTotals({ number }: Readonly<ProcessEntry>): void {
      const totals = totalsOf(last.get(number)?.metrics ?? [])
      last.delete(number)
      endedTotals = endedTotals.then((ended) => aggregate([ended, totals]).getMetricsAsJSON())
    },
  }
}

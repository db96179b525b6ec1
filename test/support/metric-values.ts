import type { Registry } from 'prom-client'

type Labels = Record<string, string | number>

/** Current values of a registry, as a scrape has them. */
export async function metricValues(registry: Registry) {
  const metrics = await registry.getMetricsAsJSON()

  /** The values of one series name; a histogram's are `..._bucket`, `..._sum` and `..._count`. */
  function series(name: string) {
    return metrics
      .flatMap((metric) =>
        metric.values.map((value) => ({
          name: 'metricName' in value ? value.metricName : metric.name,
          ...value,
        })),
      )
      .filter((value) => (value.name ?? '') === name) as { labels: Labels; value: number }[]
  }

  return {
    names: metrics.map(({ name }) => name),
    series,
    /**
     * The sum of those that have these labels; 0 where there are none, as of a counter that never
     * counted.
     */
    value(name: string, labels: Labels = {}): number {
      return series(name)
        .filter((found) => Object.entries(labels).every(([label, value]) => found.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0)
    },
  }
}

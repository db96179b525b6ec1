interface Metric {
  type: string
  values: Record<string, number>
  thresholds?: Record<string, { ok: boolean }>
}

interface Group {
  checks: { name: string; passes: number; fails: number }[]
}

/** The argument of `handleSummary`. */
export interface Summary {
  metrics: Record<string, Metric>
  root_group: Group
}

const figure = (value: number) => String(Math.round(value * 100) / 100)

const describe = ({ values }: Metric) =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${figure(value)}`)
    .join(', ')

/**
 * Promises nothing, and has a metric in the summary that is not there otherwise: those of one tag
 * are.
 */
const isVoid = (threshold: string) => threshold.endsWith('>=0')

/**
 * The whole summary as JSON beside the HTML report, and in words what was promised and what became
 * of it.
 */
export function summarize(data: Summary, more: readonly string[] = []): Record<string, string> {
  const promised = Object.entries(data.metrics).flatMap(([name, metric]) =>
    Object.entries(metric.thresholds ?? {})
      .filter(([threshold]) => !isVoid(threshold))
      .map(
        ([threshold, { ok }]) => `${ok ? 'kept  ' : 'BROKEN'} ${name}: ${threshold}   (${describe(metric)})`,
      ),
  )
  const checked = data.root_group.checks.map(
    ({ name, passes, fails }) =>
      `${fails === 0 ? 'kept  ' : 'BROKEN'} ${name}: ${passes} times, ${fails} not`,
  )
  return {
    stdout: `\n${[...promised, ...checked, ...more].join('\n')}\n\n`,
    [__ENV.SUMMARY_FILE ?? 'summary.json']: JSON.stringify(data, null, 2),
  }
}

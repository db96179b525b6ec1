import { readFile } from 'node:fs/promises'
import { init } from 'echarts'

/**
 * The dashboard of Grafana as a picture, drawn from the same queries over a Prometheus that has
 * run: for the docs, where there is no Grafana.
 */

interface Panel {
  type: 'row' | 'stat' | 'timeseries'
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: { expr: string; legendFormat: string }[]
  fieldConfig?: { defaults: { unit: string; thresholds: { steps: { value: number | null }[] } } }
}

export interface Range {
  /** Seconds since 1970. */
  from: number
  to: number
  stepSeconds: number
}

interface Series {
  labels: Record<string, string>
  /** Seconds since 1970, and what it was then. */
  points: [number, number][]
}

const dashboardFile = new URL('grafana/dashboards/gatehouse.json', import.meta.url)

export async function readPanels(): Promise<Panel[]> {
  return (JSON.parse(await readFile(dashboardFile, 'utf8')) as { panels: Panel[] }).panels
}

/** Grafana takes four scrapes for `$__rate_interval`. */
export const toQuery = (expr: string, scrapeSeconds: number) =>
  expr.replaceAll('$__rate_interval', `${4 * scrapeSeconds}s`)

/** @throws Error with what Prometheus says of a query that it cannot answer */
export async function queryRange(prometheus: string, query: string, { from, to, stepSeconds }: Range) {
  const url = new URL('/api/v1/query_range', prometheus)
  const parameters = { query, start: from, end: to, step: stepSeconds }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value))
  const answer = (await (await fetch(url)).json()) as {
    status: string
    error?: string
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] }
  }
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`)
  return answer.data.result.map(
    ({ metric, values }): Series => ({
      labels: metric,
      points: values.map(([at, value]) => [at, Number(value)]),
    }),
  )
}

const unitTexts: Record<string, (value: number) => string> = {
  s: (value) =>
    value >= 86_400
      ? `${short(value / 86_400)} d`
      : value >= 60
        ? `${short(value / 60)} min`
        : value >= 1 || value === 0
          ? `${short(value)} s`
          : `${short(value * 1000)} ms`,
  percentunit: (value) => `${short(value * 100)} %`,
  reqps: (value) => `${short(value)} /s`,
  ops: (value) => `${short(value)} /s`,
}

const short = (value: number) =>
  Math.abs(value) >= 10_000 ? `${Math.round(value / 1000)}k` : String(Number(value.toPrecision(3)))

const textIn = (unit: string) => unitTexts[unit] ?? short

const legendOf = (format: string, labels: Record<string, string>) =>
  format.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => labels[name] ?? '')

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const font = 'font-family="sans-serif"'

/** Pixels of a column and of a line of Grafana's grid. */
const cell = { width: 64, height: 26 }
const margin = 6

/** Of series, below a chart; more take a second line. */
const namesInALine = 5

interface Drawn {
  title: string
  width: number
  height: number
  unit: string
  /** The bound of an alert. */
  bound: number | undefined
  series: { name: string; points: [number, number][] }[]
}

function drawChart({ width, height, unit, bound, series }: Drawn): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  const isShown = bound !== undefined && series.some(({ points }) => points.some(([, y]) => y > bound / 2))
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: 'sans-serif', fontSize: 10 },
    grid: { left: 56, right: 12, top: 6, bottom: series.length > namesInALine ? 60 : 46 },
    xAxis: { type: 'time', axisLabel: { fontSize: 9, hideOverlap: true, formatter: '{HH}:{mm}' } },
    yAxis: { type: 'value', min: 0, splitNumber: 4, axisLabel: { fontSize: 9, formatter: textIn(unit) } },
    legend: { bottom: 0, icon: 'roundRect', itemWidth: 10, itemHeight: 4, textStyle: { fontSize: 9 } },
    series: series.map(({ name, points }, index) => ({
      name,
      type: 'line',
      showSymbol: false,
      lineStyle: { width: 1.2 },
      data: points.map(([at, value]) => [at * 1000, Number.isFinite(value) ? value : null]),
      ...(index === 0 &&
        isShown && {
          markLine: {
            silent: true,
            symbol: 'none',
            label: { show: false },
            lineStyle: { color: '#d33', type: 'dashed' },
            data: [{ yAxis: bound }],
          },
        }),
    })),
  })
  const drawn = chart.renderToSVGString()
  chart.dispose()
  return drawn
}

/** The last figure, large. */
function drawStat({ width, height, unit, bound, series }: Drawn): string {
  const last = series[0]?.points.findLast(([, value]) => Number.isFinite(value))?.[1]
  const colour = last !== undefined && bound !== undefined && last > bound ? '#d33' : '#2a7d3a'
  const text = last === undefined ? 'no data' : textIn(unit)(last)
  return `<text x="${width / 2}" y="${height / 2 + 10}" text-anchor="middle" font-size="26" fill="${colour}" ${font}>${escaped(text)}</text>`
}

async function drawPanel(panel: Panel, seriesOf: (expr: string) => Promise<Series[]>): Promise<string> {
  const { x, y, w, h } = panel.gridPos
  const frame = { left: x * cell.width, top: y * cell.height, width: w * cell.width, height: h * cell.height }
  const title = (size: number) =>
    `<text x="${frame.left + 10}" y="${frame.top + 18}" font-size="${size}" font-weight="bold" fill="#333" ${font}>${escaped(panel.title)}</text>`
  if (panel.type === 'row') return title(14)
  const { unit, thresholds } = (panel.fieldConfig as NonNullable<Panel['fieldConfig']>).defaults
  const found = await Promise.all(
    (panel.targets ?? []).map(async ({ expr, legendFormat }) =>
      (await seriesOf(expr)).map(({ labels, points }) => ({ name: legendOf(legendFormat, labels), points })),
    ),
  )
  const inner = { left: frame.left + margin, top: frame.top + 24 }
  const drawn = {
    title: panel.title,
    width: frame.width - 2 * margin,
    height: frame.height - 30,
    unit,
    bound: thresholds.steps.at(-1)?.value ?? undefined,
    series: found.flat(),
  }
  const content = panel.type === 'stat' ? drawStat(drawn) : drawChart(drawn)
  return `<rect x="${frame.left + 2}" y="${frame.top + 2}" width="${frame.width - 4}" height="${frame.height - 4}" rx="4" fill="#fff" stroke="#ddd"/>${title(12)}<g transform="translate(${inner.left} ${inner.top})">${content}</g>`
}

/** @returns an SVG document */
export async function drawDashboard(
  panels: readonly Panel[],
  seriesOf: (expr: string) => Promise<Series[]>,
): Promise<string> {
  const width = 24 * cell.width
  const height = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * cell.height
  const drawn: string[] = []
  for (const panel of panels) drawn.push(await drawPanel(panel, seriesOf))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"><rect width="100%" height="100%" fill="#f4f5f5"/>${drawn.join('\n')}</svg>\n`
}

interface Bars {
  title: string
  subtitle: string
  /** Name of each of a row's values. */
  series: readonly string[]
  /** Below the bars. */
  note: string
  rows: readonly { label: string; isOurs: boolean; values: readonly number[] }[]
}

const width = 860
const labelWidth = 230
const valueWidth = 70
const barHeight = 13
const rowGap = 12
const headHeight = 84
const noteHeight = 24

/** A dark and a light shade for each of the two series. */
const colors = { ours: ['#0f766e', '#5eead4'], others: ['#64748b', '#cbd5e1'] }

const asXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A bar chart as an SVG that reads on light and dark pages: it brings its own ground. */
export function drawBars({ title, subtitle, series, note, rows }: Bars): string {
  const rowHeight = series.length * barHeight + rowGap
  const height = headHeight + rows.length * rowHeight + noteHeight
  const longest = Math.max(...rows.flatMap(({ values }) => values))
  const scale = (width - labelWidth - valueWidth - 20) / longest
  const text = (x: number, y: number, content: string, more = '') =>
    `<text x="${x}" y="${y}" ${more}>${asXml(content)}</text>`
  const box = (x: number, y: number, w: number, h: number, fill: string) =>
    `<rect x="${x}" y="${y}" width="${w.toFixed(1)}" height="${h}" rx="2" fill="${fill}"/>`

  const legend = series.flatMap((name, at) => [
    box(labelWidth + at * 220, 60, 11, 11, colors.others[at] ?? ''),
    text(labelWidth + at * 220 + 17, 70, name, 'font-size="12" fill="#334155"'),
  ])
  const bars = rows.flatMap(({ label, isOurs, values }, row) => {
    const top = headHeight + row * rowHeight
    const weight = isOurs ? 'font-weight="600"' : ''
    return [
      text(
        labelWidth - 10,
        top + rowHeight / 2,
        label,
        `text-anchor="end" font-size="13" fill="#0f172a" ${weight}`,
      ),
      ...values.flatMap((value, at) => {
        const y = top + at * barHeight
        const shade = (isOurs ? colors.ours : colors.others)[at] ?? ''
        const shown = value >= 10 ? Math.round(value).toLocaleString('en') : value.toFixed(1)
        return [
          box(labelWidth, y, value * scale, barHeight - 2, shade),
          text(labelWidth + value * scale + 6, y + barHeight - 3, shown, 'font-size="11" fill="#334155"'),
        ]
      }),
    ]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img" aria-label="${asXml(title)}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(20, 30, title, 'font-size="18" font-weight="600" fill="#0f172a"'),
    text(20, 50, subtitle, 'font-size="12" fill="#475569"'),
    ...legend,
    ...bars,
    text(20, height - 12, note, 'font-size="11" fill="#475569"'),
    '</svg>\n',
  ].join('\n')
}

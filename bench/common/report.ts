import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

type Cell = string | number

export interface Report {
  heading: (text: string) => void
  text: (text: string) => void
  /** The first row names the columns. */
  table: (rows: readonly (readonly Cell[])[]) => void
  /** Writes the raw data of a table, one line of JSON. */
  raw: (row: Record<string, unknown>) => void
}

/** Markdown to standard output and to a file beside the raw rows, which are JSON lines. */
export function createReport(rawFile: string): Report {
  mkdirSync(dirname(rawFile), { recursive: true })
  const textFile = rawFile.replace(/\.jsonl$/, '.md')
  for (const file of [rawFile, textFile]) writeFileSync(file, '')
  function say(text: string) {
    process.stdout.write(`${text}\n`)
    appendFileSync(textFile, `${text}\n`)
  }
  const line = (cells: readonly Cell[]) => `| ${cells.join(' | ')} |`
  return {
    heading: (text) => void say(`\n## ${text}\n`),
    text: (text) => void say(text),
    table([head = [], ...rows]) {
      say([line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'))
    },
    raw: (row) => appendFileSync(rawFile, `${JSON.stringify(row)}\n`),
  }
}

/** Three figures that count, and no more: the machine is noisier than that. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const magnitude = Math.abs(value)
  return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3)
}

/** Median and range of some rounds. */
export const spread = (low: number, middle: number, high: number) =>
  `${figure(middle)} (${figure(low)}-${figure(high)})`

import type { Execution } from './plan.ts'

interface Subtotal {
  name: string
  where: string
}

/** Measurements of each query, as rows of a Markdown table. */
export function createMeasurements() {
  const lines = [
    '| query | where | indexes | median ms | most rows | most buffers |',
    '|---|---|---|---|---|---|',
  ]
  return {
    add({ name, where }: Subtotal, executions: readonly Execution[]) {
      const indexes = new Set(executions.flatMap((execution) => [...execution.indexes].map(withoutMonth)))
      const most = (key: 'rows' | 'buffers') => Math.max(...executions.map((execution) => execution[key]))
      const cells = [
        name,
        where,
        [...indexes].join(', '),
        median(executions.map(({ milliseconds }) => milliseconds)).toFixed(2),
        most('rows'),
        most('buffers'),
      ]
      lines.push(`| ${cells.join(' | ')} |`)
    },
    table: () => lines.join('\n'),
  }
}

/** The partitions of a table have the same indexes. */
const withoutMonth = (index: string) => index.replace(/_(y\d{4}m\d\d|default)_/, '_*_')

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN
}

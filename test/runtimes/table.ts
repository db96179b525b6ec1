import type { Reporter, TestCase, TestModule } from 'vitest/node'

interface TableOptions {
  /** Runtimes, in order. */
  columns: readonly string[]
  /** By runtime and test: the reason. */
  skips: Record<string, Record<string, string>>
  /** The page that has to give each reason. */
  documented: string
}

const marks = { passed: 'ok', failed: 'FAIL', skipped: 'skip', pending: '?' }

/**
 * Prints a table of test x runtime, and fails the run where a cell is skipped that the page does
 * not explain.
 */
export function createTableReporter({ columns, skips, documented }: TableOptions): Reporter {
  return {
    onTestRunEnd(modules) {
      const tests = modules.flatMap((module) => [...module.children.allTests()])
      print(rowsOf(modules), columns)
      const faults = [...unfounded(tests, columns, skips), ...unexplained(skips, documented)]
      for (const fault of faults) process.stderr.write(`${fault}\n`)
      if (faults.length > 0) process.exitCode = 1
    },
  }
}

interface Row {
  name: string
  cells: Map<string, string>
}

function rowsOf(modules: readonly TestModule[]): Map<string, Row> {
  const rows = new Map<string, Row>()
  for (const module of modules) {
    const subject = module.moduleId.replace(/^.*\/|\.suite\.ts$/g, '')
    for (const test of module.children.allTests()) {
      const name = `${subject}: ${test.name}`
      const row = rows.get(name) ?? { name, cells: new Map() }
      row.cells.set(module.project.name, marks[test.result().state])
      rows.set(name, row)
    }
  }
  return new Map([...rows].sort(([a], [b]) => a.localeCompare(b)))
}

function print(rows: Map<string, Row>, columns: readonly string[]): void {
  const longest = Math.max(0, ...[...rows.values()].map(({ name }) => name.length))
  const width = Math.max(...columns.map((column) => column.length), 'FAIL'.length) + 2
  const line = (name: string, cells: readonly string[]) =>
    process.stdout.write(`${name.padEnd(longest)}  ${cells.map((cell) => cell.padEnd(width)).join('')}\n`)
  line('', columns)
  for (const { name, cells } of rows.values())
    line(
      name,
      columns.map((column) => cells.get(column) ?? '-'),
    )
  const count = (mark: string) =>
    [...rows.values()].flatMap(({ cells }) => [...cells.values()]).filter((cell) => cell === mark).length
  const totals = Object.values(marks).map((mark) => `${count(mark)} ${mark}`)
  process.stdout.write(`\n${rows.size} tests on ${columns.length} runtimes: ${totals.join(', ')}\n`)
}

/**
 * Skips of tests that there are not: they would skip nothing, and say that something is skipped.
 */
function unfounded(
  tests: readonly TestCase[],
  columns: readonly string[],
  skips: TableOptions['skips'],
): string[] {
  const names = new Set(tests.map(({ name }) => name))
  return columns.flatMap((column) =>
    Object.keys(skips[column] ?? {})
      .filter((name) => !names.has(name))
      .map((name) => `${column} skips "${name}", which is no test`),
  )
}

function unexplained(skips: TableOptions['skips'], documented: string): string[] {
  const reasons = new Set(Object.values(skips).flatMap((byTest) => Object.values(byTest)))
  return [...reasons]
    .filter((reason) => !documented.includes(reason))
    .map((reason) => `docs/runtimes.md does not give the reason "${reason}"`)
}

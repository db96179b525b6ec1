import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { promisify } from 'node:util'
import { parseAst } from 'vitest/node'

const vitest = 'node_modules/vitest/vitest.mjs'

interface Listed {
  file: string
  name: string
}

/**
 * Titles of the tests in these files, each with those of its suites, and the strings of `.each`
 * rows. Vitest lists no test that is skipped, to do, or skipped under a condition.
 */
export async function titlesOf(files: readonly string[]): Promise<Map<string, string[]>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [vitest, 'list', ...files, '--static-parse', '--json'],
    { maxBuffer: 64 * 1024 ** 2 },
  )
  const titles = new Map(files.map((file) => [file, rowStrings(file)]))
  // Names come with the escapes of their source.
  for (const { file, name } of JSON.parse(stdout) as Listed[])
    titles.get(relative('.', file))?.push(name.replaceAll(/\\(["'`\\])/g, '$1'))
  return titles
}

type Node = Record<string, unknown>

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null

/** Every string in the arguments of a call of `test.each` or `describe.each`. */
function rowStrings(file: string): string[] {
  const found: string[] = []
  const collect = (node: unknown, isRow: boolean): void => {
    if (!isNode(node)) return
    if (isRow && node.type === 'Literal' && typeof node.value === 'string') found.push(node.value)
    const { callee } = node
    const isEach = isNode(callee) && isNode(callee.property) && callee.property.name === 'each'
    const isSkipped = isEach && isNode(callee.object) && callee.object.type !== 'Identifier'
    for (const [key, child] of Object.entries(node))
      collect(child, isRow || (key === 'arguments' && isEach && !isSkipped))
  }
  collect(parseAst(readFileSync(file, 'utf8'), { lang: 'ts' }), false)
  return found
}

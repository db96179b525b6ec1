import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

const widestMarkdown = 110
const widestComment = 100

/** Earlier migrations keep their text: the database has its checksum. */
const firstCheckedMigration = 14

const isForeign = (path: string) => /(^|\/)(node_modules|\.cache|\.gatehouse|coverage)(\/|$)/.test(path)
const files = (patterns: string[]) => globSync(patterns, { exclude: isForeign })

/** A path or an address that stands alone cannot be broken. */
const isOneWord = (line: string) => !/\S\s+\S/.test(line.replace(/^\s*([-*>#]|\/\/|--|\d+\.)*\s*/, ''))

/** @returns the numbers of lines that are wider, counted from 1 */
function wideLines(text: string, widest: number, isChecked: (line: string) => boolean): number[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      line.length > widest && isChecked(line) && !isOneWord(line) ? [index + 1] : [],
    )
}

/** Code keeps its lines, so that line numbers stay true. */
const withoutCode = (markdown: string) =>
  markdown.replace(/^( *)(```+).*?^\1\2 *$/gms, (code) => code.replace(/[^\n]/g, ''))

const isTableRow = (line: string) => line.startsWith('|')

/** Tools read these as one line. */
const isDirective = (line: string) => /\b(biome-ignore|@ts-|@typedef|@import)/.test(line)

const isComment = (line: string) => /^\s*(\/\/|\/\*|\*)/.test(line) && !isDirective(line)

const widthsOf = (paths: readonly string[], find: (text: string) => number[]) =>
  paths.flatMap((path) => find(readFileSync(path, 'utf8')).map((line) => `${path}:${line}`))

/** Reports that benchmarks and load tests write: the kept ones, and those of local runs. */
const writtenReports = /^(?:bench\/(?:\w+\/)?|k6\/)results\//

describe('width', () => {
  test('Markdown wraps at 110 columns, but for tables, code and addresses', () => {
    const pages = files(['**/*.md', '.github/**/*.md']).filter((path) => !writtenReports.test(path))
    expect(pages.length).toBeGreaterThan(30)
    const find = (text: string) => wideLines(withoutCode(text), widestMarkdown, (line) => !isTableRow(line))
    expect(widthsOf(pages, find)).toEqual([])
  })

  test('comments of TypeScript and JavaScript wrap at 100 columns', () => {
    const sources = files(['**/*.{ts,js,mjs}'])
    expect(sources.length).toBeGreaterThan(700)
    expect(widthsOf(sources, (text) => wideLines(text, widestComment, isComment))).toEqual([])
  })

  test('comments of new migrations wrap at 100 columns', () => {
    const migrations = files(['sql/*.sql']).filter(
      (path) => Number.parseInt(path.slice('sql/'.length), 10) >= firstCheckedMigration,
    )
    const find = (text: string) => wideLines(text, widestComment, (line) => line.trimStart().startsWith('--'))
    expect(widthsOf(migrations, find)).toEqual([])
  })
})

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeLoadTest, readLoadTest } from './load-test.ts'
import { fillPage, pages } from './pages.ts'
import { readUnitCosts } from './unit-costs.ts'

const costs = readUnitCosts()

test.each(Object.entries(pages))(
  '%s has the newest figures: npm run capacity -- --write',
  async (file, tables) => {
    const page = await readFile(file, 'utf8')
    expect(page).toBe(fillPage(page, tables, costs))
  },
)

describe('a page is filled', () => {
  const page = 'a\n<!-- capacity: x -->\nold\n<!-- end -->\nb\n'

  test('in its place alone, and again with the same result', () => {
    const filled = fillPage(page, { x: () => '| $1 | $& |' }, costs)
    expect(filled).toBe('a\n<!-- capacity: x -->\n\n| $1 | $& |\n\n<!-- end -->\nb\n')
    expect(fillPage(filled, { x: () => '| $1 | $& |' }, costs)).toBe(filled)
  })

  test('with nothing, where there is no figure', () => {
    expect(fillPage(page, { x: () => '' }, costs)).toBe('a\n<!-- capacity: x -->\n<!-- end -->\nb\n')
  })

  test('or an error names the place that it lacks', () => {
    expect(() => fillPage(page, { y: () => '' }, costs)).toThrow('<!-- capacity: y -->')
  })
})

describe('a load test', () => {
  test('is read from its report, a cost per served request, and stands beside the model', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-capacity-'))
    const file = join(folder, 'hundred-thousand.jsonl')
    const parts = [
      { name: 'gateway 1', cores: 0.5, bytes: 1 },
      { name: 'origin', cores: 0.4, bytes: 1 },
      { name: 'redis', cores: 0.1, bytes: 1 },
      { name: 'postgres', cores: 0.2, bytes: 1 },
    ]
    const figures = { due: 5_940_000, failed: 2_940_000 }
    const run = {
      part: 'run',
      rate: 10_000,
      judged: 0,
      users: 100_000,
      seconds: 600,
      code: 0,
      facts: {},
      figures,
      parts,
    }
    try {
      await writeFile(file, `${JSON.stringify(run)}\n${JSON.stringify({ part: 'second' })}\n`)
      const read = readLoadTest(file)
      expect(read).toMatchObject({ isKept: true, hashCost: 10, us: { 'gateway 1': 100, postgres: 40 } })
      if (!read) throw new Error('the report was not read')
      const table = describeLoadTest(read, costs)
      expect(table).toContain('| 100,000 users, 10,000 requests/s, 600 s: every promise kept |')
      expect(table).toMatch(/\| gateway \| [\d.]+ \| 100\.0 \|/)
      expect(describeLoadTest({ ...read, isKept: false }, costs)).toContain('not every promise kept')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('is left out where no report is kept', () => {
    expect(readLoadTest(join(tmpdir(), 'no-such-report.jsonl'))).toBeUndefined()
  })
})

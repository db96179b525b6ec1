import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeComparison, describeLoads, formatBytes } from './describe-load.ts'
import { loadOf } from './load-model.ts'
import { compareWithRun, readTenMinuteRun } from './ten-minute-run.ts'
import { readUnitCosts } from './unit-costs.ts'

const costs = readUnitCosts()
const populations = [1e5, 1e6].map((users) => ({ users, atWork: 1 }))
const loads = populations.map((population) => loadOf(population, costs))

/** Figures of a row of docs/capacity.md, for 100,000 and 1,000,000 people at work. */
function statedOf(label: string): number[] {
  const line = readFileSync('docs/capacity.md', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| ${label}`))
  const [, , hundredThousand = '', million = ''] = line?.split(' | ') ?? []
  return [hundredThousand, million].map((text) => Number(text.replace(/,| GB/g, '')))
}

test('every cost is read from the report or the page that states it', () => {
  const numbers = (value: unknown): number[] =>
    typeof value === 'number' ? [value] : Object.values(value as object).flatMap(numbers)
  expect(numbers(costs)).toHaveLength(33)
  for (const number of numbers(costs)) expect(number).toBeGreaterThan(0)
})

describe('the model agrees with docs/capacity.md, to its rounding', () => {
  test.each([
    ['requests a second', loads.map((load) => load.requestsPerSecond)],
    ['gateways, one core each', loads.map((load) => load.gateways)],
    ['refreshes a second', loads.map((load) => load.refreshesPerSecond)],
    ['logins a second', loads.map((load) => load.loginsPerSecond)],
    ['origin cores for hashing', loads.map((load) => load.hashingCores)],
    ['origin cores for refreshes', loads.map((load) => load.refreshCores)],
    ['Postgres statements a second', loads.map((load) => load.statementsPerSecond)],
  ])('%s', (label, modelled) => {
    const stated = statedOf(label)
    for (const [index, value] of modelled.entries())
      expect(Math.abs(value / (stated[index] as number) - 1)).toBeLessThan(0.06)
  })

  test('bytes stored', () => {
    const labels = ['refresh tokens', 'sessions', 'login attempts', 'audit log', 'accounts']
    const stated = labels.map(statedOf)
    for (const [index, { storedBytes }] of loads.entries()) {
      const sum = stated.reduce((sum, row) => sum + (row[index] as number), 0)
      expect(Math.abs(storedBytes / 1e9 / sum - 1)).toBeLessThan(0.03)
    }
  })
})

describe('the ten-minute run', () => {
  const { requestsPerSecond, bytes } = compareWithRun(readTenMinuteRun(), costs)

  test('served as many requests as the model predicts for one core', () => {
    expect(requestsPerSecond.measured).toBeGreaterThan(requestsPerSecond.least)
    expect(requestsPerSecond.measured).toBeLessThan(requestsPerSecond.most)
  })

  test('held at most twice the memory, which is room that the garbage collector keeps', () => {
    expect(bytes.measured.least).toBeGreaterThan(bytes.modelled * 0.9)
    expect(bytes.measured.most).toBeLessThan(bytes.modelled * 2)
  })
})

describe('the tables', () => {
  test('have a column for each population', () => {
    const table = describeLoads(populations, costs)
    expect(table.split('\n')[0]).toBe('| accounts | 100,000 | 1,000,000 |')
    expect(table).toContain('| requests/s | 10,000 | 100,000 |')
    expect(describeComparison(compareWithRun(readTenMinuteRun(), costs))).toContain('| requests/s |')
  })

  test.each([
    [0, '0.0 B'],
    [1500, '1.5 kB'],
    [37_400_000_000, '37 GB'],
    [2e15, '2.0 PB'],
    [3e18, '3,000 PB'],
  ])('write %i bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  // The figures follow the reports they are made of; the rows are those of the command.
  test('docs/scaling.md has the rows that the command prints', () => {
    const rowsOf = (text: string) => [...text.matchAll(/^\| ([^|]+) \|/gm)].map(([, name]) => name)
    const page = rowsOf(readFileSync('docs/scaling.md', 'utf8'))
    expect(page).toEqual(expect.arrayContaining(rowsOf(describeLoads(populations, costs))))
  })
})

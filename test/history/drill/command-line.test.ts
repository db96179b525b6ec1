import { expect, test } from 'vitest'
import { UsageError } from '../../../shared/node/cli.ts'
import { parseDrillCommand } from './command-line.ts'

const newSeed = () => 4711

test('two minutes with a new seed by default', () => {
  expect(parseDrillCommand([], newSeed)).toEqual({
    minutes: 2,
    seed: 4711,
    clients: 10,
    historyFile: undefined,
  })
})

test('each option has a value of its own', () => {
  const args = ['--minutes', '0.5', '--seed', '7', '--clients', '3', '--history', 'drill.jsonl']
  expect(parseDrillCommand(args, newSeed)).toEqual({
    minutes: 0.5,
    seed: 7,
    clients: 3,
    historyFile: 'drill.jsonl',
  })
})

test.each([
  ['--minutes', 'ten'],
  ['--minutes', '0'],
  ['--seed', '-1'],
  ['--clients', ''],
  ['--sed', '1'],
])('64: %s %s', (...args) => {
  expect(() => parseDrillCommand(args, newSeed)).toThrow(UsageError)
})

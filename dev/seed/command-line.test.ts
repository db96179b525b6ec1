import { describe, expect, test } from 'vitest'
import { UsageError } from '../../shared/node/cli.ts'
import { parseCommandLine } from './command-line.ts'

describe('a command line', () => {
  test('reads the number, and whether other accounts are allowed', () => {
    expect(parseCommandLine(['--users', '100000'])).toEqual({ users: 100_000, force: false })
    expect(parseCommandLine(['--users=1', '--force'])).toEqual({ users: 1, force: true })
    expect(parseCommandLine(['--users=10000000'])).toEqual({ users: 10_000_000, force: false })
  })

  test.each([
    ['no number', [], '--users COUNT is missing'],
    ['nothing after --users', ['--users'], '--users'],
    ['none', ['--users', '0'], 'a number from 1'],
    ['less than none', ['--users=-5'], 'a number from 1'],
    ['a fraction', ['--users', '1.5'], 'a number from 1'],
    ['digits and more', ['--users', '100k'], 'a number from 1'],
    ['an exponent', ['--users', '1e5'], 'a number from 1'],
    ['too many', ['--users', '10000001'], 'to 10000000'],
    ['a stray word', ['100000'], '100000'],
    ['an unknown option', ['--user', '5'], '--user'],
  ])('is rejected with the reason: %s', (_, args, reason) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError)
    expect(() => parseCommandLine(args)).toThrow(reason)
  })
})

import { describe, expect, test } from 'vitest'
import { UsageError } from '../../shared/node/cli.ts'
import { parseCommand } from './command-line.ts'

describe('a command line', () => {
  test('names what to do, and a file; a dry run is a diff', () => {
    expect(parseCommand(['show'])).toEqual({ kind: 'show' })
    expect(parseCommand(['diff', 'c.yaml'])).toEqual({ kind: 'diff', file: 'c.yaml' })
    expect(parseCommand(['apply', 'c.yaml'])).toEqual({ kind: 'apply', file: 'c.yaml' })
    expect(parseCommand(['apply', 'c.yaml', '--dry-run'])).toEqual({ kind: 'diff', file: 'c.yaml' })
  })

  test.each([
    ['nothing at all', [], 'say what to do'],
    ['an unknown word', ['load', 'c.yaml'], 'there is no load'],
    ['no file', ['apply'], 'FILE is missing'],
    ['two files', ['apply', 'a', 'b'], 'too many words: b'],
    ['a file to show', ['show', 'a'], 'show takes no file'],
    ['a dry run of what writes nothing', ['diff', 'a', '--dry-run'], '--dry-run belongs to apply'],
    ['an unknown option', ['apply', 'a', '--force'], '--force'],
  ])('is rejected: %s', (_, args, message) => {
    expect(() => parseCommand(args)).toThrow(UsageError)
    expect(() => parseCommand(args)).toThrow(message)
  })
})

import { describe, expect, test } from 'vitest'
import { UsageError } from '../../shared/node/cli.ts'
import { parseCommand } from './command-line.ts'

describe('a command line', () => {
  test('names an address and a role', () => {
    expect(parseCommand(['role', 'ada@example.com', 'admin'])).toEqual({
      email: 'ada@example.com',
      role: 'admin',
    })
  })

  test.each([
    ['nothing at all', [], 'say what to do'],
    ['an unknown word', ['promote', 'ada@example.com'], 'there is no promote'],
    ['no address', ['role'], 'EMAIL is missing'],
    ['no role', ['role', 'ada@example.com'], 'ROLE is missing'],
    ['two roles', ['role', 'ada@example.com', 'user', 'admin'], 'too many words: admin'],
  ])('is rejected: %s', (_, args, message) => {
    expect(() => parseCommand(args)).toThrow(new UsageError(message))
  })
})

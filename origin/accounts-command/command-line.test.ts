import { describe, expect, test } from 'vitest'
import { UsageError } from '../../shared/node/cli.ts'
import { parseCommand } from './command-line.ts'

describe('a command line', () => {
  test('names an address and a role', () => {
    expect(parseCommand(['role', 'ada@example.com', 'admin'])).toEqual({
      kind: 'role',
      email: 'ada@example.com',
      role: 'admin',
    })
  })

  test('names a file to import, and the roles that it may give', () => {
    expect(parseCommand(['import', 'users.ndjson'])).toEqual({
      kind: 'import',
      file: 'users.ndjson',
      isDryRun: false,
      allowedRoles: [],
    })
    const args = ['import', '-', '--dry-run', '--allow-role', 'admin', '--allow-role', 'editor']
    expect(parseCommand(args)).toEqual({
      kind: 'import',
      file: '-',
      isDryRun: true,
      allowedRoles: ['admin', 'editor'],
    })
  })

  test.each([
    ['nothing at all', [], 'say what to do'],
    ['an unknown word', ['promote', 'ada@example.com'], 'there is no promote'],
    ['no address', ['role'], 'EMAIL is missing'],
    ['no role', ['role', 'ada@example.com'], 'ROLE is missing'],
    ['no file', ['import', '--dry-run'], 'FILE is missing'],
    ['two files', ['import', 'a', 'b'], 'too many words: b'],
    ['two roles', ['role', 'ada@example.com', 'user', 'admin'], 'too many words: admin'],
  ])('is rejected: %s', (_, args, message) => {
    expect(() => parseCommand(args)).toThrow(new UsageError(message))
  })
})

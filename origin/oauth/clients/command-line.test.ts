import { describe, expect, test } from 'vitest'
import { UsageError } from '../../../shared/node/cli.ts'
import { parseCommand } from './command-line.ts'

describe('a command line', () => {
  test('names what to do, each scope once', () => {
    expect(parseCommand(['create', 'billing', '--scope', 'users.read', '--scope=users.read'])).toEqual({
      kind: 'create',
      id: 'billing',
      scopes: ['users.read'],
    })
    expect(parseCommand(['scopes', 'billing', '--scope', 'users.read'])).toMatchObject({ kind: 'scopes' })
    expect(parseCommand(['rotate', 'billing'])).toEqual({
      kind: 'rotate',
      id: 'billing',
      overlapSeconds: 86_400,
    })
    expect(parseCommand(['rotate', 'billing', '--overlap', '0'])).toMatchObject({ overlapSeconds: 0 })
    expect(parseCommand(['end-previous', 'billing'])).toEqual({ kind: 'end-previous', id: 'billing' })
    expect(parseCommand(['delete', 'billing'])).toEqual({ kind: 'delete', id: 'billing' })
    expect(parseCommand(['disable', 'billing'])).toEqual({ kind: 'disable', id: 'billing' })
    expect(parseCommand(['list'])).toEqual({ kind: 'list' })
  })

  test.each([
    ['a name for list', ['list', 'billing'], 'list takes no name'],
    ['nothing at all', [], 'say what to do'],
    ['an unknown word', ['remove', 'billing'], 'there is no remove'],
    ['no name', ['create', '--scope', 'users.read'], 'NAME is missing'],
    ['no scope', ['create', 'shipping'], 'a client needs at least one --scope'],
    ['an unknown scope', ['create', 'shipping', '--scope', 'admin'], 'there is no scope admin'],
    [
      'a scope of Object.prototype',
      ['create', 'shipping', '--scope', 'toString'],
      'there is no scope toString',
    ],
    ['an unknown option', ['create', 'shipping', '--scopes', 'users.read'], '--scopes'],
    ['two names', ['rotate', 'shipping', 'billing'], 'too many words: billing'],
    [
      'a scope where none belongs',
      ['rotate', 'billing', '--scope', 'users.read'],
      '--scope belongs to create and scopes',
    ],
    [
      'an overlap where none belongs',
      ['disable', 'billing', '--overlap', '1'],
      '--overlap belongs to rotate',
    ],
    ['an overlap of a month and an hour', ['rotate', 'billing', '--overlap', '721'], 'from 0 to 720'],
    ['an overlap with a unit', ['rotate', 'billing', '--overlap', '1h'], 'a whole number of hours'],
    ['a name in capitals', ['create', 'Shipping', '--scope', 'users.read'], 'NAME is 3 to 63'],
    ['a name of two letters', ['create', 'ab', '--scope', 'users.read'], 'NAME is 3 to 63'],
    // The frontend is public: with a row it would have a secret as well.
    ["the frontend's name", ['create', 'frontend', '--scope', 'users.read'], 'frontend cannot be'],
    // RFC 9068, section 5: a client that could be taken for an account by its `sub`.
    [
      'a name like an account id',
      ['create', 'a7f6bd1c-83c8-4a5e-9a3b-0c1d2e3f4a5b', '--scope', 'users.read'],
      'cannot be the name',
    ],
  ])('is rejected with the reason: %s', (_, args, reason) => {
    expect(() => parseCommand(args)).toThrow(UsageError)
    expect(() => parseCommand(args)).toThrow(reason)
  })
})

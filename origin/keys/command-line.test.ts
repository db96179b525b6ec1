import { describe, expect, test } from 'vitest'
import { UsageError } from '../../shared/node/cli.ts'
import { parseCommand } from './command-line.ts'

const kid = '-_2XzAq0lNP3JcvI2c7K4sS9c6W0a8n1xQeYzD5uBtE'

describe('a command line', () => {
  test('names what to do, and which key, also one that begins with a hyphen', () => {
    expect(parseCommand(['list'])).toEqual({ kind: 'list' })
    expect(parseCommand(['rotate'])).toEqual({ kind: 'rotate' })
    expect(parseCommand(['revoke', kid])).toEqual({ kind: 'revoke', kid, evenInUse: false })
    expect(parseCommand(['list', '--assertions'])).toEqual({ kind: 'list', assertions: true })
    expect(parseCommand(['revoke', kid, '--now', '--assertions'])).toEqual({
      kind: 'revoke',
      kid,
      evenInUse: true,
      assertions: true,
    })
    expect(parseCommand(['revoke', '--now', kid])).toEqual({ kind: 'revoke', kid, evenInUse: true })
  })

  test.each([
    ['nothing at all', [], 'say what to do'],
    ['an unknown word', ['remove', kid], 'there is no remove'],
    ['no key', ['revoke', '--now'], 'KID is missing'],
    ['what is no key', ['revoke', 'key-1'], 'key-1 is no KID'],
    ['a key where none belongs', ['rotate', kid], 'rotate takes no KID'],
    ['--now where it does not belong', ['rotate', '--now'], '--now belongs to revoke'],
    ['--assertions where it does not belong', ['create', '--assertions'], 'does not belong to create'],
    ['an unknown option', ['revoke', kid, '--force'], 'there is no option --force'],
    ['two keys', ['revoke', kid, kid], 'too many words'],
  ])('is rejected with the reason: %s', (_, args, reason) => {
    expect(() => parseCommand(args)).toThrow(UsageError)
    expect(() => parseCommand(args)).toThrow(reason)
  })
})

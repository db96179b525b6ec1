import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { catalogues } from '../../../test/support/catalogue/catalogues.ts'
import { formatCatalogueFile } from './format.ts'
import { CatalogueFileError, readCatalogueFile } from './read.ts'

const example = readFileSync('examples/catalogue.yaml', 'utf8')

/** The reasons of a rejection, each with its line and column; none where the file is accepted. */
function reasonsOf(text: string | Uint8Array): string[] {
  try {
    readCatalogueFile(typeof text === 'string' ? Buffer.from(text) : text, 'c.yaml')
    return []
  } catch (error) {
    if (!(error instanceof CatalogueFileError)) throw error
    return error.message.split('\n')
  }
}

/** The example with one passage changed; fails where it is not there. */
function changed(from: string, to: string): string {
  expect(example).toContain(from)
  return example.replace(from, to)
}

/** `c.yaml:LINE:COLUMN` of a passage in a text. */
function at(text: string, passage: string): string {
  const before = text.slice(0, text.indexOf(passage))
  const line = before.split('\n').length
  return `c.yaml:${line}:${before.length - before.lastIndexOf('\n')}`
}

describe('a catalogue file', () => {
  test('is read as it was written, whatever its texts look like', () => {
    fc.assert(
      fc.property(catalogues, (catalogue) => {
        const file = Buffer.from(formatCatalogueFile(catalogue))
        expect(readCatalogueFile(file, 'c.yaml')).toEqual(catalogue)
      }),
      { numRuns: 200 },
    )
  })

  test('the example is accepted; `all` stands for every permission', () => {
    const { roles, permissions } = readCatalogueFile(Buffer.from(example), 'c.yaml')
    expect(roles.at(-1)?.permissions).toEqual(permissions.map(({ name }) => name).toSorted())
  })
})

describe('is rejected with line and column, and with what is allowed there', () => {
  test.each<[string, string, string, string, string]>([
    [
      'an unknown permission of a role',
      'permissions: [profile.read, profile.write, dashboard.read]',
      'permissions: [profile.read, profil.write]',
      'profil.write]',
      'roles.user.permissions.1: there is no permission profil.write, the nearest is profile.write; allowed: profile.read, profile.write,',
    ],
    [
      'an unknown feature of a plan',
      '[basic_dashboard, profile_customization, email_notifications]',
      '[basic_dashbord]',
      'basic_dashbord]',
      'plans.free.features.0: there is no feature basic_dashbord, the nearest is basic_dashboard; allowed: basic_dashboard,',
    ],
    [
      'a permission that a role has twice',
      'permissions: [profile.read]',
      'permissions: [profile.read, profile.read]',
      'profile.read]',
      'roles.guest.permissions.1: profile.read is listed twice',
    ],
    [
      'an unknown key of a role',
      '    level: 0\n',
      '    lvl: 1\n    level: 0\n',
      'lvl: 1',
      'roles.guest.lvl: Unrecognized key: "lvl"; allowed: level, description, default, permissions',
    ],
    [
      'an unknown key of the file',
      'features:\n  basic',
      'groups: {}\nfeatures:\n  basic',
      'groups: {}',
      'groups: Unrecognized key: "groups"; allowed: permissions, roles, features, plans',
    ],
    [
      'a key that occurs twice',
      '  user:\n    level: 10',
      '  guest:\n    level: 10',
      '',
      'Map keys must be unique',
    ],
    [
      'a level that is no number',
      'level: 50',
      'level: high',
      'high',
      'roles.subscriber.level: Invalid input: expected number',
    ],
    ['a level beyond 100', 'level: 50', 'level: 101', '101', 'roles.subscriber.level: Too big'],
    [
      'permissions that are no list',
      'permissions: [profile.read]\n',
      'permissions: none\n',
      'none\n',
      'roles.guest.permissions: must be all, or a list of permissions',
    ],
    [
      'a quota below one a minute',
      'api_quota_per_hour: 1000\n',
      'api_quota_per_hour: 59\n',
      '59\n',
      'plans.free.api_quota_per_hour: must be at least 60',
    ],
    [
      'a name that no role can have',
      '  guest:\n',
      '  Guest 1:\n',
      'Guest 1',
      'roles.Guest 1: is not the name of a role',
    ],
  ])('%s', (_, from, to, passage, reason) => {
    const text = changed(from, to)
    const [first = ''] = reasonsOf(text)
    expect(first).toContain(reason)
    if (passage !== '') expect(first).toMatch(new RegExp(`^${at(text, passage).replaceAll('.', '\\.')}: `))
    expect(first).toMatch(/^c\.yaml:\d+:\d+: /)
  })

  test('NUL, escaped or raw, and text that is not UTF-8', () => {
    const escaped = changed('May look at their own profile', '"May\\0look"')
    expect(reasonsOf(escaped)[0]).toBe(
      `${at(escaped, '"May')}: roles.guest.description: must not contain control characters`,
    )
    const raw = changed('May look', 'May\0look')
    expect(reasonsOf(raw)).toEqual([`${at(raw, '\0')}: NUL is no character of YAML`])
    const [head = '', tail = ''] = example.split('May look')
    const bytes = Buffer.concat([Buffer.from(head), Buffer.from([0xff]), Buffer.from(tail)])
    expect(reasonsOf(bytes)).toEqual([`c.yaml:${head.split('\n').length}:1: is not UTF-8`])
  })

  test('lone surrogates, objects as keys, and aliases that would expand', () => {
    expect(reasonsOf(changed('May look at their own profile', '"\\ud800"'))).not.toEqual([])
    expect(reasonsOf(changed('  guest:\n', '  __proto__:\n'))[0]).toContain('__proto__ is not the name')
    expect(reasonsOf(changed('  guest:\n', '  constructor:\n'))).toEqual([])
    const levels = [...'bcdefgh'].map((key, n) => `${key}: &${key} [${`*${'abcdefg'[n]}, `.repeat(20)}x]`)
    const bomb = `a: &a [x, x]\n${levels.join('\n')}\n`
    expect(reasonsOf(bomb)[0]).toContain('Excessive alias count')
    expect(reasonsOf('x'.repeat(1024 * 1024 + 1))[0]).toContain('1048577 bytes, of at most 1048576')
    expect(reasonsOf('')).not.toEqual([])
    expect(reasonsOf('a: 1\n---\na: 2\n')).not.toEqual([])
    expect(reasonsOf('roles: {}\npermissions: {}\nfeatures: {}\nplans: {}\n').join('\n')).toContain(
      'there is no plan',
    )
  })

  test('no more than twenty reasons are given', () => {
    const many = Array.from({ length: 100 }, (_, n) => `x${n}: 1`).join('\n')
    expect(reasonsOf(`${many}\n`)).toHaveLength(20)
  })
})

describe('is rejected: nobody could administer everything', () => {
  test('no role has level 100', () => {
    const text = changed('level: 100', 'level: 99')
    expect(reasonsOf(text)).toEqual([
      `${at(text, 'guest:\n')}: roles: no role can administer everything: one has level 100 and permissions: all`,
    ])
  })

  test('the role of level 100 lacks a permission, which nobody could grant', () => {
    const text = changed('permissions: all', 'permissions: [roles.manage, users.read]')
    expect(reasonsOf(text)).toEqual([
      expect.stringMatching(
        `^${at(text, '[roles.manage, users')}: roles.superadmin.permissions: no role can administer everything: superadmin lacks profile.read, `,
      ),
    ])
  })

  test('a permission that routes of Gatehouse itself require is missing', () => {
    const text = changed('  roles.manage: Change what a role may do\n', '')
    expect(reasonsOf(text)).toEqual([
      `${at(text, 'profile.read: See')}: permissions: lacks roles.manage: routes of Gatehouse itself require it`,
    ])
  })
})

describe('is rejected: the role of new accounts', () => {
  test('is missing, named twice, or administers the product', () => {
    expect(reasonsOf(changed('    default: true # of new accounts\n', ''))[0]).toContain(
      'no role is that of new accounts',
    )
    expect(reasonsOf(changed('level: 50', 'level: 50\n    default: true'))[0]).toContain(
      'roles.subscriber.default: user is the role of new accounts already',
    )
    expect(reasonsOf(changed('level: 10\n', 'level: 90\n'))[0]).toContain('new accounts would administer')
  })
})

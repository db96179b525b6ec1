import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { InstallationError, parseInstallation } from './configuration.ts'
import { exampleFile, examples, readExample } from './installations/examples.ts'

const example = parse(readFileSync(exampleFile('example'), 'utf8'))

const parseWith = (changes: object) => () =>
  parseInstallation(stringify({ ...example, ...changes }), 'mine.yaml')

test.each(examples)('%s.yaml is a usable installation', (name) => {
  expect(readExample(name)).toMatchObject({ zones: expect.any(Array) })
})

test.each([
  ['one zone', { zones: ['us-east-1a'] }, 'zones: must name two availability zones at least'],
  ['a zone of elsewhere', { zones: ['us-east-1a', 'eu-west-1a'] }, 'zones: must be zones of the region'],
  ['a zone twice', { zones: ['us-east-1a', 'us-east-1a'] }, 'zones: must differ'],
  ['an account as a number', { account: 111111111111 }, "account: must be a text such as '111111111111'"],
  ['a certificate of elsewhere', { region: 'us-west-2' }, 'certificate: must be a certificate of the region'],
  ['an unknown field', { multiAz: true }, 'multiAz'],
  [
    'fewer backups than a week',
    { database: { ...example.database, backupDays: 1 } },
    'database.backupDays: must be 7 at least',
  ],
  [
    'memory that Fargate does not have',
    { origin: { ...example.origin, memory: 1024 } },
    'origin.memory: must be what Fargate has for this cpu',
  ],
  [
    'a maximum below the minimum',
    { origin: { ...example.origin, max: 2 } },
    'origin.max: must not be below min',
  ],
  [
    'a cache without a replica',
    { cache: { ...example.cache, replicas: 0 } },
    'cache.replicas: must be 1 at least',
  ],
  ['no domain', { domain: undefined }, 'domain: must be a text such as auth.example.com'],
])('an installation with %s is refused, by the name of the field', (_, changes, reason) => {
  expect(parseWith(changes)).toThrow(InstallationError)
  expect(parseWith(changes)).toThrow(reason)
})

test('all faults are named at once', () => {
  expect(parseWith({ zones: [], domain: 'x' })).toThrow('domain: ')
  expect(parseWith({ zones: [], domain: 'x' })).toThrow('zones: ')
})

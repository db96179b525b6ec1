import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type KeyDatabase,
  openKeyDatabase,
  operator,
  waits,
} from '../../test/support/database/key-database.ts'
import { createEncryption } from './encryption.ts'
import { createKeyRing } from './key-ring.ts'

let database: KeyDatabase
beforeAll(async () => {
  database = await openKeyDatabase()
})
afterAll(() => database.close())

const command = fileURLToPath(new URL('./command.ts', import.meta.url))

const outputs: string[] = []

/** `npm run keys -- ...` in a process of its own. */
function run(args: string[], environment: Record<string, string> = {}) {
  const env = {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'production',
    DATABASE_URL: database.url,
    KEY_ENCRYPTION_KEY: database.keyEncryptionKey,
    ...environment,
  }
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [command, ...args], { env, cwd: tmpdir() }, (error, out, err) => {
      outputs.push(out, err)
      resolve({ code: error ? Number(error.code) : 0, out, err })
    })
  })
}
const keys = (...args: string[]) => run(args)

const kidIn = (out: string) => /[\w-]{43}/.exec(out)?.[0] ?? ''
const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`

let first: string
let second: string

/** One deployment's keys from the first to a leak, in this order. */
describe('npm run keys', () => {
  test('0: list shows nothing where there is no key; 1: rotate and revoke find none', async () => {
    expect(await keys('list')).toEqual({ code: 0, out: '', err: '' })
    expect(await keys('rotate')).toMatchObject({ code: 1, out: '' })
    expect(await keys('revoke', 'x'.repeat(43), '--now')).toMatchObject({
      code: 1,
      err: `There is no key ${'x'.repeat(43)}.\n`,
    })
    expect(await database.states()).toEqual({})
  })

  test('0: create makes the first key, with its audit row, and a second time none', async () => {
    const { code, out } = await keys('create')
    first = kidIn(out)
    expect({ code, out }).toEqual({ code: 0, out: `Made the signing key ${first}.\n` })
    expect(await keys('create')).toEqual({ code: 0, out: 'There is a signing key already.\n', err: '' })
    expect(await database.states()).toEqual({ [first]: 'signing' })
    const audit = await database.sql`select action, details, user_agent from audit_logs`
    expect(audit).toEqual([
      { action: 'key.signing', details: { kid: first, reason: 'first' }, user_agent: 'npm run keys' },
    ])
  })

  test('0: rotate publishes a successor and says when it signs; 1: where one is published', async () => {
    const { code, out } = await keys('rotate')
    second = kidIn(out)
    expect({ code, out }).toEqual({
      code: 0,
      out: `Published ${second}. It signs in 720 s, by the origins' upkeep.\n`,
    })
    expect(await keys('rotate')).toEqual({
      code: 1,
      out: '',
      err: 'A successor is published already, or no key signs: see list.\n',
    })
  })

  test('0: list shows each key, its state, since when, and its next step', async () => {
    expect((await keys('list')).out).toMatch(
      new RegExp(
        `^${first}  signing    since ${time}  retires from ${time}\n${second}  published  since ${time}  signs from ${time}\n$`,
      ),
    )
    await database.pass(waits.published)
    await database.service.takeStep(operator)
    expect((await keys('list')).out).toMatch(
      new RegExp(
        `^${first}  retiring   since ${time}  gone from ${time}\n${second}  signing    since ${time}  successor published from ${time}\n$`,
      ),
    )
  })

  test('1: revoke rejects what has signed live tokens; 0: with --now it is gone, and a new key signs', async () => {
    const refused = await keys('revoke', second)
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toContain(`${second} is signing`)
    expect(refused.err).toContain('Add --now')

    const { code, out } = await keys('revoke', second, '--now')
    const states = await database.states()
    const third = Object.keys(states).find((kid) => states[kid] === 'signing')
    expect({ code, out }).toEqual({
      code: 0,
      out:
        `Revoked ${second}, which was signing.\n${third} signs now.\n` +
        'Origins follow within 30 s, gateways within 600 s of that. ' +
        'After a leak restart the origins, then the gateways: docs/runbooks/keys.md.\n',
    })
    expect(states).toEqual({ [first]: 'retiring', [third ?? '']: 'signing' })
    expect((await keys('revoke', first, '--now')).code).toBe(0)
    expect(Object.values(await database.states())).toEqual(['signing'])
  })

  test('0: revoke drops a published key without more ado', async () => {
    const kid = kidIn((await keys('rotate')).out)
    expect(await keys('revoke', kid)).toEqual({
      code: 0,
      out: `Revoked ${kid}, which was published.\n`,
      err: '',
    })
  })

  test('1: rotate and revoke with another KEY_ENCRYPTION_KEY change nothing', async () => {
    const before = await database.states()
    const wrong = { KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') }
    const refusal = {
      code: 1,
      out: '',
      err: 'KEY_ENCRYPTION_KEY does not decrypt the signing key in the database\n',
    }
    expect(await run(['rotate'], wrong)).toEqual(refusal)
    expect(await run(['revoke', Object.keys(before)[0] ?? '', '--now'], wrong)).toEqual(refusal)
    expect(await run(['reseal'], { OLD_KEY_ENCRYPTION_KEY: wrong.KEY_ENCRYPTION_KEY, ...wrong })).toEqual(
      refusal,
    )
    expect(await database.states()).toEqual(before)
  })

  test('0: reseal changes KEY_ENCRYPTION_KEY; 78: without the old one', async () => {
    const KEY_ENCRYPTION_KEY = randomBytes(32).toString('base64')
    const missing = await run(['reseal'], { KEY_ENCRYPTION_KEY })
    expect(missing).toMatchObject({ code: 78, out: '' })
    expect(missing.err).toContain('OLD_KEY_ENCRYPTION_KEY must be the former KEY_ENCRYPTION_KEY')

    const both = { KEY_ENCRYPTION_KEY, OLD_KEY_ENCRYPTION_KEY: database.keyEncryptionKey }
    expect(await run(['reseal'], both)).toEqual({
      code: 0,
      out: 'Resealed 1, found 0 under KEY_ENCRYPTION_KEY already.\n',
      err: '',
    })
    const ring = await createKeyRing(
      database.sql,
      createEncryption(Buffer.from(KEY_ENCRYPTION_KEY, 'base64')),
    )
    expect(Object.keys(await database.states())).toEqual([ring.signing().kid])
  })

  test('64: prints the reason and the usage, and does nothing', async () => {
    const { code, out, err } = await keys('rotate', '--now')
    expect({ code, out }).toEqual({ code: 64, out: '' })
    expect(err).toContain('--now belongs to revoke')
    expect(err).toContain('npm run keys -- revoke KID --now')
  })

  test('no output of all these, and no audit row, shows a private key', async () => {
    const shown = JSON.stringify([outputs, await database.sql`select details from audit_logs`])
    expect(shown).toContain(second)
    expect(shown).not.toMatch(/"d\\*":/)
  })
})

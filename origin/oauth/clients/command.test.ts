import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createTestDatabase,
  directUrl,
  type TestDatabase,
} from '../../../tools/servers/postgres/test-database.ts'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await createTestDatabase()
  sql = postgres(directUrl(database.url), { max: 1 })
})
afterAll(async () => {
  await sql.end()
  await database.drop()
})

const command = fileURLToPath(new URL('./command.ts', import.meta.url))

/** `npm run clients -- ...` in a process of its own. */
function clients(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH ?? '', DATABASE_URL: database.url }
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env, cwd: tmpdir() }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

const secretIn = (out: string) => /^client_secret: ([\w-]{43})$/m.exec(out)?.[1] ?? ''
const hashOf = (secret: string) => createHash('sha256').update(secret).digest()

describe('npm run clients', () => {
  test('0: create shows the secret once, stores its hash alone, and leaves an audit row', async () => {
    const made = await clients('create', 'billing', '--scope', 'users.read', '--scope', 'entitlements.read')
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('client_id: billing\n') })
    const [row] = await sql`select *, oauth_clients::text as everything from oauth_clients`
    expect(row?.scopes).toEqual(['users.read', 'entitlements.read'])
    expect(row?.secret_hash).toEqual(hashOf(secretIn(made.out)))
    expect(row?.everything).not.toContain(secretIn(made.out))
    const audit =
      await sql`select action, details, user_agent, audit_logs::text as everything from audit_logs`
    expect(audit).toMatchObject([
      {
        action: 'client.created',
        details: { client_id: 'billing', scope: 'users.read entitlements.read' },
        user_agent: 'npm run clients',
      },
    ])
    expect(JSON.stringify(audit)).not.toContain(secretIn(made.out))
  })

  test('1: create with a taken name changes nothing', async () => {
    const before = await sql`select * from oauth_clients`
    expect(await clients('create', 'billing', '--scope', 'users.read')).toMatchObject({
      code: 1,
      out: '',
      err: 'There is a client billing already.\n',
    })
    expect(await sql`select * from oauth_clients`).toEqual(before)
  })

  test('0: rotate gives a new secret beside the old one, whose end it says; end-previous voids the old one', async () => {
    const [before] = await sql`select secret_hash from oauth_clients where id = 'billing'`
    const { code, out, err } = await clients('rotate', 'billing', '--overlap', '2')
    expect(code).toBe(0)
    const [row] = await sql`
      select secret_hash, previous_secret_hash, previous_secret_ends_at from oauth_clients where id = 'billing'`
    expect(row?.secret_hash).toEqual(hashOf(secretIn(out)))
    expect(row?.previous_secret_hash).toEqual(before?.secret_hash)
    expect(err).toContain(`works until ${row?.previous_secret_ends_at.toISOString()}`)
    expect((await clients('list')).out).toContain('old secret until')

    expect((await clients('end-previous', 'billing')).code).toBe(0)
    expect((await clients('end-previous', 'billing')).code).toBe(1)
    const [after] = await sql`select previous_secret_hash from oauth_clients where id = 'billing'`
    expect(after?.previous_secret_hash).toBeNull()
  })

  test('0: rotate without an overlap voids the old secret at once', async () => {
    const { err } = await clients('rotate', 'billing', '--overlap', '0')
    expect(err).toContain('The old secret is void.')
    const [row] = await sql`select previous_secret_hash from oauth_clients where id = 'billing'`
    expect(row?.previous_secret_hash).toBeNull()
  })

  test('0: scopes replaces them', async () => {
    expect((await clients('scopes', 'billing', '--scope', 'users.import')).code).toBe(0)
    expect((await sql`select scopes from oauth_clients`)[0]?.scopes).toEqual(['users.import'])
    await clients('scopes', 'billing', '--scope', 'users.read', '--scope', 'entitlements.read')
  })

  test('0: disable, then list shows it; 1: to disable or rotate it again', async () => {
    expect((await clients('disable', 'billing')).code).toBe(0)
    const { out } = await clients('list')
    expect(out).toMatch(
      /^billing {2}disabled \S+ {2}made \S+ {2}never used {2}users\.read entitlements\.read\n$/,
    )
    expect((await clients('disable', 'billing')).code).toBe(1)
    expect((await clients('rotate', 'billing')).code).toBe(1)
    expect((await sql`select action from audit_logs order by id`).map(({ action }) => action)).toEqual([
      'client.created',
      'client.secret_rotated',
      'client.previous_secret_ended',
      'client.secret_rotated',
      'client.scopes_changed',
      'client.scopes_changed',
      'client.disabled',
    ])
  })

  test('0: delete forgets it; 1: to delete it again', async () => {
    expect((await clients('delete', 'billing')).code).toBe(0)
    expect((await clients('list')).out).toBe('')
    expect((await clients('delete', 'billing')).code).toBe(1)
  })

  test('64: prints the reason and the usage, and does nothing', async () => {
    const { code, out, err } = await clients('create', 'shipping', '--scope', 'admin')
    expect({ code, out }).toEqual({ code: 64, out: '' })
    expect(err).toContain('there is no scope admin')
    expect(err).toContain('npm run clients -- create NAME --scope SCOPE')
  })
})

import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createTestDatabase,
  directUrl,
  type TestDatabase,
} from '../../tools/servers/postgres/test-database.ts'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await createTestDatabase()
  sql = postgres(directUrl(database.url), { max: 1 })
  await sql`
    insert into user_accounts (email, password_hash, role_id)
    values ('Ada@example.com', 'x', (select id from roles where name = 'user'))`
})
afterAll(async () => {
  await sql.end()
  await database.drop()
})

const command = fileURLToPath(new URL('./command.ts', import.meta.url))

/** `npm run accounts -- ...` in a process of its own. */
function accounts(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH ?? '', DATABASE_URL: database.url }
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env, cwd: tmpdir() }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

const role = async () =>
  (await sql`select name from roles where id = (select role_id from user_accounts)`)[0]?.name

describe('npm run accounts', () => {
  test('0: makes the first superadmin, whose earlier tokens are stale, and leaves an audit row', async () => {
    const made = await accounts('role', 'ada@example.com', 'superadmin')
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('was user and is superadmin now') })
    expect(await role()).toBe('superadmin')
    expect(await sql`select scope, epoch from revocations`).toEqual([{ scope: 'user', epoch: 1 }])
    expect(await sql`select action, actor_id, details from audit_logs`).toEqual([
      {
        action: 'account.role_changed',
        actor_id: null,
        details: { before: { role: 'user' }, after: { role: 'superadmin' } },
      },
    ])
  })

  // Anybody can register anybody's address: the one who has the account may not be the one who is
  // meant.
  test('0: warns where the address is not verified; not where it is, or where the role takes rights away', async () => {
    const warning = expect.stringMatching(/^Warning: ada@example\.com is not verified\. .*\n$/)
    expect(await accounts('role', 'ada@example.com', 'user')).toMatchObject({ code: 0, err: '' })
    expect(await accounts('role', 'ada@example.com', 'admin')).toMatchObject({ code: 0, err: warning })
    await sql`update user_accounts set email_verified_at = now()`
    expect(await accounts('role', 'ada@example.com', 'superadmin')).toMatchObject({ code: 0, err: '' })
    await sql`update user_accounts set email_verified_at = null`
  })

  test('0: unmakes a superadmin', async () => {
    expect((await accounts('role', 'ada@example.com', 'user')).code).toBe(0)
    expect(await role()).toBe('user')
  })

  test('1: an unknown account, an unknown role; nothing changes', async () => {
    expect(await accounts('role', 'bob@example.com', 'admin')).toMatchObject({
      code: 1,
      err: 'There is no account bob@example.com.\n',
    })
    expect(await accounts('role', 'ada@example.com', 'emperor')).toMatchObject({
      code: 1,
      err: 'There is no role emperor.\n',
    })
    expect(await role()).toBe('user')
  })

  test('64: malformed arguments, with the usage', async () => {
    expect(await accounts('role', 'ada@example.com')).toMatchObject({
      code: 64,
      err: expect.stringContaining('npm run accounts -- role EMAIL ROLE'),
    })
  })
})

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { generateSecrets, type Secrets } from '../../dev/secrets.ts'
import {
  createTestDatabase,
  directUrl,
  type TestDatabase,
} from '../../tools/servers/postgres/test-database.ts'
import { createEncryption } from '../keys/encryption.ts'
import { createFirstKey } from '../keys/first-key.ts'

const hash = '$2b$06$DHB.8cFqnjc0kMZvAsUD2enNGk2gWlT0hNvn5X2qmV8EFMzAfMI3.'
const command = fileURLToPath(new URL('../accounts-command/command.ts', import.meta.url))

let database: TestDatabase
let sql: Sql
let secrets: Secrets
let folder: string
beforeAll(async () => {
  database = await createTestDatabase()
  sql = postgres(directUrl(database.url), { max: 2, onnotice: () => {} })
  secrets = await generateSecrets()
  folder = await mkdtemp(join(tmpdir(), 'import-'))
})
beforeEach(() => sql`truncate user_accounts, audit_logs, mail_outbox, signing_keys cascade`)
afterAll(async () => {
  await sql.end()
  await database.drop()
  await rm(folder, { recursive: true })
})

const line = (user: object) => JSON.stringify(user)
const user = (name: string, more: object = {}) => ({
  external_id: `old-${name}`,
  email: `${name}@example.com`,
  password_hash: hash,
  ...more,
})

interface RunOptions {
  args?: string[]
  input?: string | Uint8Array
  env?: Record<string, string>
}

/** `npm run accounts -- import ...` in a process of its own. */
async function run({ args = ['-'], input = '', env = {} }: RunOptions) {
  const { KEY_ENCRYPTION_KEY } = secrets
  const child = spawn(process.execPath, [command, 'import', ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: database.url, KEY_ENCRYPTION_KEY, ...env },
    cwd: folder,
  })
  const [out, err] = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray())
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out: ((await out) ?? []).join(''), err: ((await err) ?? []).join('') }
}

const importLines = (...lines: string[]) => run({ input: lines.map((each) => `${each}\n`).join('') })
const emails = async () =>
  (await sql<{ email: string }[]>`select email from user_accounts order by email`).map(({ email }) => email)

describe('npm run accounts -- import', () => {
  test('0: an account with all its fields, its subscription and its audit row, and no mail', async () => {
    const imported = await importLines(
      line(
        user('ada', {
          email_verified: true,
          display_name: ' Ada ',
          role: 'subscriber',
          plan: 'pro',
          period_ends_at: '2999-01-01T00:00:00Z',
          status: 'disabled',
          created_at: '2019-05-04T12:00:00+02:00',
          metadata: { crm: { id: 7 }, tags: ['vip'] },
          totp_secret: 'jbswy3dpehpk3pxpjbswy3dp',
        }),
      ),
    )
    expect(imported).toMatchObject({ code: 0, err: '' })
    expect(imported.out).toMatch(/^1 created, 0 updated, 0 unchanged, 0 rejected in \d+\.\d s\.\n$/)
    const [row] = await sql`
      select account.id, external_id, email, email_verified_at is not null as verified, display_name, role.name as role,
        account.status, account.created_at, product_metadata, password_hash, plan.name as plan, period_started_at,
        period_ends_at
      from user_accounts account
      join roles role on role.id = account.role_id
      join user_subscriptions subscription on subscription.user_id = account.id
      join subscription_plans plan on plan.id = subscription.plan_id`
    expect(row).toEqual({
      id: expect.any(String),
      external_id: 'old-ada',
      email: 'ada@example.com',
      verified: true,
      display_name: 'Ada',
      role: 'subscriber',
      status: 'disabled',
      created_at: new Date('2019-05-04T10:00:00Z'),
      product_metadata: { crm: { id: 7 }, tags: ['vip'] },
      password_hash: `foreign:${hash}`,
      plan: 'pro',
      period_started_at: new Date('2019-05-04T10:00:00Z'),
      period_ends_at: new Date('2999-01-01T00:00:00Z'),
    })
    const [secret] = await sql`select encrypted_secret from totp_secrets where user_id = ${row?.id}`
    const encryption = createEncryption(Buffer.from(secrets.KEY_ENCRYPTION_KEY, 'base64'))
    expect(encryption.decrypt(`totp_secrets:${row?.id}`, secret?.encrypted_secret)).toBe(
      'JBSWY3DPEHPK3PXPJBSWY3DP',
    )
    expect(await sql`select action, actor_id, user_id, user_agent, details from audit_logs`).toEqual([
      {
        action: 'account.imported',
        actor_id: null,
        user_id: row?.id,
        user_agent: 'npm run accounts',
        details: { outcome: 'created', external_id: 'old-ada' },
      },
    ])
    expect(await sql`select from mail_outbox`).toHaveLength(0)
  })

  test('0: only an address is enough; a period that is over and no password are no faults', async () => {
    const lines = [
      { email: 'ada@example.com' },
      { email: 'bob@example.com', plan: 'pro', period_ends_at: '2020-01-01T00:00:00Z' },
    ]
    expect(await importLines(...lines.map(line))).toMatchObject({ code: 0 })
    expect(
      await sql`
        select email, password_hash, external_id, role.name as role, period_ends_at
        from user_accounts account join roles role on role.id = role_id
        join user_subscriptions subscription on subscription.user_id = account.id order by email`,
    ).toEqual([
      {
        email: 'ada@example.com',
        password_hash: null,
        external_id: null,
        role: 'user',
        period_ends_at: null,
      },
      {
        email: 'bob@example.com',
        password_hash: null,
        external_id: null,
        role: 'user',
        period_ends_at: new Date('2020-01-01T00:00:00Z'),
      },
    ])
  })

  test('0: gzip by its first bytes, from a file and from standard input', async () => {
    const file = join(folder, 'users.ndjson')
    await writeFile(file, gzipSync(line(user('ada'))))
    expect(await run({ args: [file] })).toMatchObject({ code: 0, out: expect.stringContaining('1 created') })
    const members = Buffer.concat([gzipSync(`${line(user('bob'))}\n`), gzipSync(line(user('eve')))])
    expect(await run({ input: members })).toMatchObject({ out: expect.stringContaining('2 created') })
    expect(await emails()).toEqual(['ada@example.com', 'bob@example.com', 'eve@example.com'])
  })

  test('0: --dry-run says the same and writes nothing', async () => {
    const input = `${line(user('ada'))}\n`
    const dry = await run({ args: ['-', '--dry-run'], input })
    expect(dry).toMatchObject({ code: 0, out: expect.stringMatching(/^Dry run: 1 created/) })
    expect(await emails()).toEqual([])
    await run({ input })
    expect(await run({ args: ['--dry-run', '-'], input })).toMatchObject({
      out: expect.stringContaining('1 unchanged'),
    })
    expect(await sql`select from audit_logs`).toHaveLength(1)
  })

  test('1: rejects lines with their number and reason, and imports the others', async () => {
    const bad: [string, string][] = [
      [line(user('cost31', { password_hash: `$2b$31$${'a'.repeat(53)}` })), 'password_hash: takes longer'],
      [
        line(
          user('memory', {
            password_hash: `$argon2id$v=19$m=4194304,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
          }),
        ),
        'password_hash: needs more than 128 MiB of memory',
      ],
      [line(user('plain', { password_hash: 'secret' })), 'password_hash: is in no form'],
      [
        line(user('verifier', { password_hash: '$verifier$' })),
        'password_hash: $verifier$ needs LEGACY_VERIFIER_URL',
      ],
      [line(user('first', { external_id: 'another' })), 'email: is that of line 1'],
      [line(user('First', { external_id: 'one more' })), 'email: is that of line 1'],
      [line(user('other', { external_id: 'old-first' })), 'external_id: is that of line 1'],
      [line(user('admin', { role: 'admin' })), 'role: admin is above what this import may give'],
      [line(user('emperor', { role: 'emperor' })), 'role: there is no emperor'],
      [line(user('gold', { plan: 'gold' })), 'plan: there is no gold'],
      [line(user('nul', { display_name: 'A\0da' })), 'display_name: must not contain control characters'],
      [line(user('half', { external_id: '\ud800' })), 'external_id: must not contain control characters'],
      [line(user('halfmeta', { metadata: { a: ['\udc00'] } })), 'metadata: has NUL or half a surrogate pair'],
      [line(user('nulmeta', { metadata: { 'a\0': 1 } })), 'metadata: has NUL or half a surrogate pair'],
      [line(user('list', { metadata: [] })), 'metadata: must be an object'],
      [line(user('large', { metadata: { a: 'x'.repeat(9000) } })), 'metadata: must have at most 8192'],
      // PostgreSQL writes each of them with 309 digits.
      [line(user('digits', { metadata: { a: Array(100).fill(1e308) } })), 'metadata: must have at most 8192'],
      [
        `{"email":"deep@example.com","metadata":${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}}`,
        'metadata: is nested more than 16 deep',
      ],
      ['{"email":"proto@example.com","metadata":{"__proto__":{}}}', 'metadata: has the key __proto__'],
      ['{"email":"proto@example.com","__proto__":{"role":"admin"}}', '__proto__: is not a field'],
      [line(user('unknown', { nickname: 'x' })), 'nickname: is not a field'],
      [line({ email: 'nowhere' }), 'email: Invalid email address'],
      [line(user('future', { created_at: '2999-01-01T00:00:00Z' })), 'created_at: is in the future'],
      [line(user('totp', { totp_secret: 'no base32!' })), 'totp_secret: must be base32'],
      ['null', 'the account: '],
      ['{"email":"cut', 'is not JSON'],
      [`{"email":"${'x'.repeat(70_000)}"}`, 'is longer than 65536 bytes'],
    ]
    const lines = [line(user('first')), ...bad.map(([text]) => text), line(user('last'))]
    const imported = await importLines(...lines)
    expect(imported.code).toBe(1)
    const reasons = imported.err.trimEnd().split('\n')
    for (const [index, [, reason]] of bad.entries())
      expect(reasons).toContainEqual(expect.stringContaining(`line ${index + 2}: ${reason}`))
    expect(reasons.at(-1)).toBe(`Rejected ${bad.length} of ${lines.length} lines.`)
    expect(reasons).toHaveLength(bad.length + 1)
    expect(await emails()).toEqual(['first@example.com', 'last@example.com'])
    expect(await sql`select from user_subscriptions`).toHaveLength(2)
    expect(await sql`select from audit_logs`).toHaveLength(2)
    // Once more: the same lines, and nothing changes.
    expect(await importLines(...lines)).toMatchObject({
      code: 1,
      out: expect.stringContaining('2 unchanged'),
    })
  })

  test('1: a reason is one short line of printable text, whatever the names of the fields are', async () => {
    const names = ['x\nline 7: forged', '\u001b]0;title\u0007', 'a\u202eb', '\ud800', 'n'.repeat(1000)]
    const { err } = await importLines(...names.map((name) => line({ email: 'ada@example.com', [name]: 1 })))
    const [first, second, third, fourth, fifth = '', ...more] = err.trimEnd().split('\n')
    expect([first, second, third, fourth]).toEqual([
      'line 1: x\\u{a}line 7: forged: is not a field',
      'line 2: \\u{1b}]0;title\\u{7}: is not a field',
      'line 3: a\\u{202e}b: is not a field',
      'line 4: \\u{d800}: is not a field',
    ])
    expect(fifth.length).toBeLessThan(600)
    expect(more).toEqual(['Rejected 5 of 5 lines.'])
  })

  test('0: unchanged the second time, also with numbers that JSON has and PostgreSQL stores as others', async () => {
    const input =
      '{"email":"ada@example.com","metadata":{"zero":-0,"large":1e999,"exact":12345678901234567890}}\n'
    expect(await run({ input })).toMatchObject({ out: expect.stringContaining('1 created') })
    expect(await run({ input })).toMatchObject({ out: expect.stringContaining('1 unchanged') })
  })

  test('1: a line that is not UTF-8, in a file with a mark of byte order and CRLF', async () => {
    const input = Buffer.concat([
      Buffer.from(`\ufeff${line(user('ada'))}\r\n\r\n`),
      Buffer.from([0x7b, 0x22, 0xff, 0x0a]),
      Buffer.from(line(user('bob'))),
    ])
    expect(await run({ input })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^line 3: is not UTF-8\n/),
    })
    expect(await emails()).toEqual(['ada@example.com', 'bob@example.com'])
  })

  test('1: a line of 10 MB, between two others', async () => {
    const input = Buffer.concat([
      Buffer.from(`${line(user('ada'))}\n{"email":"`),
      Buffer.alloc(10_000_000, 'x'),
      Buffer.from(`"}\n${line(user('bob'))}\n`),
    ])
    const imported = await run({ input })
    expect(imported).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^line 2: is longer than 65536 bytes\n/),
    })
    expect(await emails()).toEqual(['ada@example.com', 'bob@example.com'])
  })

  test('1: a file that was cut off is imported up to there, as text and as gzip; whole, it is completed', async () => {
    const lines = Array.from({ length: 3000 }, (_, n) =>
      line(user(`u${n}`, { metadata: { random: crypto.randomUUID() } })),
    )
    const text = `${lines.join('\n')}\n`
    const cut = await run({ input: text.slice(0, text.lastIndexOf('{') + 20) })
    expect(cut).toMatchObject({ code: 1, err: expect.stringMatching(/^line 3000: is not JSON\n/) })
    expect(await emails()).toHaveLength(2999)

    await sql`truncate user_accounts cascade`
    const packed = gzipSync(text)
    const half = await run({ input: packed.subarray(0, packed.length / 2) })
    expect(half.code).toBe(1)
    const [, at] = /^line (\d+): the gzip data ends here: the file was cut off\n/.exec(half.err) ?? []
    expect(Number(at)).toBeGreaterThan(1)
    expect(await emails()).toHaveLength(Number(at) - 1)
    const whole = await run({ input: text })
    expect(whole.code).toBe(0)
    expect(await emails()).toHaveLength(3000)
    expect(await sql`select from user_subscriptions`).toHaveLength(3000)

    // Lines before it is noticed may have other text: the checksum comes at the end.
    packed[Math.floor(packed.length / 2)] = (packed[Math.floor(packed.length / 2)] ?? 0) ^ 0xff
    expect((await run({ input: packed })).err).toMatch(/^line \d+: the gzip data (is damaged|ends here)/m)
  })

  test('1: neither a file nor a folder that can be read', async () => {
    expect(await run({ args: ['none.ndjson'] })).toMatchObject({
      code: 1,
      err: 'none.ndjson cannot be read: ENOENT\n',
    })
    expect(await run({ args: ['.'] })).toMatchObject({ code: 1, err: '. is a folder.\n' })
  })

  test('1: another KEY_ENCRYPTION_KEY than the origin’s imports nothing', async () => {
    const key = Buffer.from(secrets.KEY_ENCRYPTION_KEY, 'base64')
    await createFirstKey(sql, createEncryption(key))
    const { KEY_ENCRYPTION_KEY } = await generateSecrets()
    const imported = await run({ input: line(user('ada')), env: { KEY_ENCRYPTION_KEY } })
    expect(imported).toMatchObject({
      code: 1,
      err: expect.stringContaining('KEY_ENCRYPTION_KEY does not decrypt'),
    })
    expect(await emails()).toEqual([])
  })

  test('0: --allow-role gives the role it names, and no other', async () => {
    const input = `${line(user('ada', { role: 'admin' }))}\n${line(user('eve', { role: 'superadmin' }))}\n`
    expect(await run({ args: ['-', '--allow-role', 'admin'], input })).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^line 2: role: superadmin is above/),
    })
    expect(await emails()).toEqual(['ada@example.com'])
  })

  test('0: two imports of one file at once make each account once', async () => {
    const input = Array.from({ length: 2500 }, (_, n) => `${line(user(`u${n}`))}\n`).join('')
    const both = await Promise.all([run({ input }), run({ input })])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    const counts = both.map(({ out }) =>
      /^(\d+) created, 0 updated, (\d+) unchanged, 0/.exec(out)?.slice(1).map(Number),
    )
    expect(counts[0]?.[0] ?? 0).toBe(counts[1]?.[1])
    expect(counts[1]?.[0] ?? 0).toBe(counts[0]?.[1])
    expect(await emails()).toHaveLength(2500)
    expect(await sql`select from user_subscriptions`).toHaveLength(2500)
    expect(await sql`select from audit_logs`).toHaveLength(2500)
  })
})

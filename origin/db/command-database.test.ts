import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { directUrl, serviceUrl } from '../../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { migrate } from './migrate.ts'

const name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
const url = serviceUrl(name)

let server: Sql
let environment: Record<string, string>
beforeAll(async () => {
  server = postgres(inject('postgresUrl'), { max: 1 })
  await server`create database ${server(name)}`
  environment = { PATH: process.env.PATH ?? '', DATABASE_URL: url, ...(await generateSecrets()) }
})
afterAll(async () => {
  await server`drop database ${server(name)} with (force)`
  await server.end()
})

function run(
  path: string,
  args: readonly string[],
  changes: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  const file = fileURLToPath(new URL(path, import.meta.url))
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [file, ...args],
      { env: { ...environment, ...changes }, cwd: tmpdir() },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    )
  })
}

const commands: [string, string, string[]][] = [
  ['keys -- create', '../keys/command.ts', ['create']],
  ['keys -- list', '../keys/command.ts', ['list']],
  ['clients -- create', '../oauth/clients/command.ts', ['create', 'billing', '--scope', 'users.read']],
  ['clients -- list', '../oauth/clients/command.ts', ['list']],
  ['accounts -- role', '../accounts-command/command.ts', ['role', 'ada@example.com', 'admin']],
  ['seed', '../../dev/seed/command.ts', ['--users', '1']],
]

describe('a command on a database of another version', () => {
  test.each(commands)('1: %s before migrate says so in one line', async (_, path, args) => {
    expect(await run(path, args)).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(
        /^The database has schema version 0, this code needs \d+: run npm run migrate\n$/,
      ),
    })
  })

  test('1: so does migrate, on the schema of a newer code', async () => {
    const sql = postgres(directUrl(url), { max: 1 })
    await sql`create table schema_migrations (version bigint primary key, name text, md5 text, run_at timestamptz)`
    await sql`insert into schema_migrations (version) values (9999)`
    await sql.end()
    for (const [path, args] of [
      ['./migrate.ts', []],
      ['../keys/command.ts', ['list']],
    ] as const)
      expect(await run(path, args)).toEqual({
        code: 1,
        out: '',
        err: expect.stringMatching(/^The database has schema version 9999, .*: run the code that fits\n$/),
      })
  })

  test('1: migrate that meets a locked table says so in one line, and has applied nothing', async () => {
    const locked = `${name}_locked`
    await server`create database ${server(locked)}`
    const lockedUrl = serviceUrl(locked)
    await migrate(lockedUrl)
    const sql = postgres(directUrl(lockedUrl), { max: 1 })
    const result = await sql.begin(async (transaction) => {
      await transaction`lock table schema_migrations in access exclusive mode`
      return run('./migrate.ts', [], { DATABASE_URL: lockedUrl })
    })
    await sql.end()
    await server`drop database ${server(locked)} with (force)`
    expect(result).toEqual({
      code: 1,
      out: '',
      err: 'Another transaction holds the lock of a table for more than 5s. Nothing was applied: run npm run migrate again\n',
    })
  })
})

describe('a command whose database cannot be reached', () => {
  test.each([...commands, ['migrate', './migrate.ts', []]] satisfies typeof commands)(
    '69: %s says so in one line',
    async (_, path, args) => {
      const port = await findFreePort()
      expect(await run(path, args, { DATABASE_URL: `postgres://127.0.0.1:${port}/gatehouse` })).toEqual({
        code: 69,
        out: '',
        err: expect.stringMatching(/^The database at DATABASE_URL cannot be reached: .*ECONNREFUSED.*\n$/),
      })
    },
  )
})

import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { createTestDatabase, directUrl, serviceUrl } from '../../tools/servers/postgres/test-database.ts'
import { createCommandDatabase } from './database.ts'
import { migrate, requireUsableSchema } from './migrate.ts'
import { reasonAgainst } from './server.ts'

const password = 'correct horse battery'
const { log } = createCapturedLog('database')

let server: Sql
beforeAll(() => {
  server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
})
afterAll(() => server.end())

const suitable = {
  version: 150_000,
  encoding: 'UTF8',
  synchronousCommit: 'on',
  foreignViews: [],
  foreignTables: [],
}

test('PostgreSQL 15 is taken, 14 is rejected', () => {
  expect(reasonAgainst(suitable)).toBeUndefined()
  expect(reasonAgainst({ ...suitable, version: 140_022 })).toBe(
    'The database is PostgreSQL 14: 15 or newer is needed',
  )
})

describe('npm run migrate rejects, with what to do, a database', () => {
  test.each([
    ['of the encoding LATIN1', `encoding 'LATIN1' locale 'C'`, /encoding LATIN1.*UTF8/],
    ['of the encoding SQL_ASCII', `encoding 'SQL_ASCII' locale 'C'`, /encoding SQL_ASCII.*UTF8/],
  ])('%s', async (_, form, reason) => {
    const name = `${inject('templateDatabase')}_unfit`
    await server.unsafe(`create database ${name} template template0 ${form}`)
    try {
      await expect(migrate(serviceUrl(name))).rejects.toThrow(reason)
    } finally {
      await server.unsafe(`drop database ${name} with (force)`)
    }
  })
})

describe('the origin and the commands reject', () => {
  test.each([
    [
      'synchronous_commit off',
      (name: string) => `alter database ${name} set synchronous_commit = off`,
      '',
      /synchronous_commit/,
    ],
    [
      'a user that cannot refresh the views',
      (name: string) => `
        create role ${name}_reader login;
        grant all on all tables in schema public to ${name}_reader;
        alter function refresh_views() security invoker`,
      '_reader',
      /cannot refresh the views mv_.*owner/,
    ],
    [
      'a user that cannot write a table',
      (name: string) => `
        create role ${name}_reader login;
        grant all on all tables in schema public to ${name}_reader;
        revoke delete on sessions, roles from ${name}_reader`,
      '_reader',
      /cannot read and write roles, sessions: run npm run database:roles/,
    ],
  ])('%s', async (_, change, userSuffix, reason) => {
    const database = await createTestDatabase()
    const url = new URL(directUrl(database.url))
    const name = url.pathname.slice(1)
    const owner = postgres(directUrl(database.url), { max: 1 })
    await owner.unsafe(change(name))
    if (userSuffix) url.username = `${name}${userSuffix}`
    const sql = createCommandDatabase(url.href, log)
    try {
      await expect(requireUsableSchema(sql)).rejects.toThrow(reason)
    } finally {
      await sql.end()
      if (userSuffix) await owner.unsafe(`drop owned by ${name}${userSuffix}; drop role ${name}${userSuffix}`)
      await owner.end()
      await database.drop()
    }
  })
})

// Operators set such defaults for other programs.
describe.each([
  ['DateStyle', 'German, DMY'],
  ['DateStyle', 'SQL, DMY'],
  ['IntervalStyle', 'sql_standard'],
  ['TimeZone', 'Asia/Kathmandu'],
  ['bytea_output', 'escape'],
  ['extra_float_digits', '-15'],
  ['default_transaction_isolation', 'serializable'],
  ['standard_conforming_strings', 'off'],
])('a database whose setting %s is %s', (name, value) => {
  let fullStack: FullStack
  beforeAll(async () => {
    const { url, drop } = await createTestDatabase()
    await server.unsafe(`alter database ${new URL(url).pathname.slice(1)} set ${name} = '${value}'`)
    fullStack = await createFullStack({ remains: { secrets: await generateSecrets(), databaseUrl: url } })
    return async () => {
      await fullStack.close()
      await drop()
    }
  })

  test('200: sign-up, login and refresh, also many at once; times are right', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com', password)
    const responses = await Promise.all(
      Array.from({ length: 10 }, () =>
        fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token }),
      ),
    )
    expect(responses.map(({ status }) => status)).toEqual(Array(10).fill(200))
    const sessions = await fullStack.call('/auth/sessions', {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    const [session] = ((await sessions.json()) as { sessions: { created_at: string }[] }).sessions
    expect(Math.abs(Date.parse(session?.created_at ?? '') - Date.now())).toBeLessThan(60_000)
  })
})

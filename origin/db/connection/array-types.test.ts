import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../tools/servers/postgres/test-database.ts'
import { createDatabase } from '../database.ts'
import type { Sql } from '../types.ts'

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect()
})
afterAll(async () => {
  await sql.end()
  await database.drop()
})

const connect = () =>
  createDatabase({
    url: database.url,
    poolMax: 1,
    idleSeconds: 30,
    connectSeconds: 10,
    statementSeconds: 30,
  })

// U+0000 and lone surrogates are no text of PostgreSQL.
const texts = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'))

describe('arrays come back as they were sent', () => {
  test('texts: of any characters, quotes, braces, commas and NULL among them', async () => {
    const values = fc.array(
      fc.oneof(texts, fc.constantFrom(null, 'NULL', 'null', '', ' a ', '{}', 'a,b', '"', '\\', 'a\nb')),
    )
    await fc.assert(
      fc.asyncProperty(values, async (sent) => {
        const [row] = await sql`select ${sent}::text[] as received`
        expect(row?.received).toEqual(sent)
      }),
    )
  })

  test.each([
    ['name', ['a b', null]],
    ['varchar', ['a,b', null]],
    ['smallint', [1, -2, null]],
    ['int', [1, -2, null]],
    ['bigint', ['9007199254740993', null]],
    ['uuid', ['0191d9f4-6f2e-7a51-8c6d-2f1f0b8f7a11', null]],
  ])('%s', async (type, sent) => {
    const [row] = await sql`select ${sent as string[]}::${sql.unsafe(type)}[] as received`
    expect(row?.received).toEqual(sent)
  })
})

// As parameters the driver takes arrays of them for single values.
test('arrays of booleans and times are received', async () => {
  const [row] = await sql`
    select '{true,false,NULL}'::bool[] as booleans, '{2026-02-28T23:59:59.123Z,NULL}'::timestamptz[] as times`
  expect(row).toEqual({
    booleans: [true, false, null],
    times: [new Date('2026-02-28T23:59:59.123Z'), null],
  })
})

// The driver would not await it, and an error of it would end the process.
test('a new connection sends no statement of its own', async () => {
  const fresh = connect()
  const statements: string[] = []
  const options = fresh.options as { debug?: unknown }
  options.debug = (_: number, statement: string) => statements.push(statement.trim())
  await fresh`select 1`
  expect(statements).toEqual(['select 1'])
  await fresh.end()
})

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/test-database.ts'
import { closeSeconds, createDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing } from './key-ring.ts'
import { createSealing, type Sealing } from './sealing.ts'

let database: TestDatabase
let sql: Sql
let sealing: Sealing
beforeAll(async () => {
  database = await createTestDatabase()
  const { log } = createCapturedLog('keys')
  sql = createDatabase({
    url: database.url,
    poolMax: 10,
    idleSeconds: 5,
    connectSeconds: 5,
    statementSeconds: 5,
    log,
  })
  sealing = createSealing(new Uint8Array(randomBytes(32)))
})
beforeEach(() => sql`truncate signing_keys`)
afterAll(async () => {
  await sql.end({ timeout: closeSeconds })
  await database.drop()
})

const kids = async () =>
  (await sql`select kid, state from signing_keys`).map(({ kid, state }) => `${kid} ${state}`)

describe('the first signing key', () => {
  test('is made once: a second call finds it and makes none', async () => {
    const kid = await createFirstKey(sql, sealing)
    expect(await createFirstKey(sql, sealing)).toBeUndefined()
    expect(await kids()).toEqual([`${kid} signing`])
  })

  // Ten replicas that start together on an empty database.
  test('is one, however many make it at once', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => createFirstKey(sql, sealing)))
    expect(made.filter((kid) => kid !== undefined)).toHaveLength(1)
    expect(await kids()).toHaveLength(1)
  })

  // A copy of the database alone signs nothing.
  test('lies in the database with its private half sealed', async () => {
    await createFirstKey(sql, sealing)
    const [row] = await sql<[{ kid: string; sealed: Buffer; public_jwk: object }]>`
      select kid, sealed_private_jwk as sealed, public_jwk from signing_keys`
    expect(row.public_jwk).not.toHaveProperty('d')
    const { d } = JSON.parse(sealing.open(row.kid, row.sealed))
    expect(d).toMatch(/^[\w-]{43}$/)
    const [whole] = await sql`select signing_keys::text as text from signing_keys`
    expect(whole?.text).not.toContain(d)
    expect(row.sealed.includes(d)).toBe(false)
  })
})

describe('the key ring', () => {
  test('says what to do where there is no signing key', async () => {
    await expect(createKeyRing(sql, sealing)).rejects.toThrow(
      'There is no signing key: make one with npm run keys -- create',
    )
  })

  test('names the variable where KEY_ENCRYPTION_KEY is another one', async () => {
    await createFirstKey(sql, sealing)
    const other = createSealing(new Uint8Array(randomBytes(32)))
    await expect(createKeyRing(sql, other)).rejects.toThrow(
      'KEY_ENCRYPTION_KEY does not open the signing key in the database',
    )
  })

  // Who can write to the database gives a key he once saw sealed the name of the one that signs.
  test('does not open a sealed key that was moved under another kid', async () => {
    await createFirstKey(sql, sealing)
    await sql`update signing_keys set kid = 'another-kid'`
    await expect(createKeyRing(sql, sealing)).rejects.toThrow('KEY_ENCRYPTION_KEY does not open')
  })

  test('publishes every key and signs with the signing one alone', async () => {
    const retired = await createFirstKey(sql, sealing)
    await sql`update signing_keys set state = 'retiring'`
    const kid = await createFirstKey(sql, sealing)
    const ring = await createKeyRing(sql, sealing)
    expect(ring.signing().kid).toBe(kid)
    expect(ring.published().map((key) => key.kid)).toEqual([retired, kid])
  })

  test('follows what changed at a refresh, and keeps what it knew where the refresh fails', async () => {
    const first = await createFirstKey(sql, sealing)
    const ring = await createKeyRing(sql, sealing)
    await sql`truncate signing_keys`
    await expect(ring.refresh()).rejects.toThrow('There is no signing key')
    expect(ring.signing().kid).toBe(first)
    expect(ring.published()).toHaveLength(1)
    const second = await createFirstKey(sql, sealing)
    await ring.refresh()
    expect(ring.signing().kid).toBe(second)
  })
})

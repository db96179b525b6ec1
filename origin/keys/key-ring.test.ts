import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { closeSeconds, createDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { createEncryption, type Encryption } from './encryption.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing } from './key-ring.ts'

let database: TestDatabase
let sql: Sql
let encryption: Encryption
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
  encryption = createEncryption(new Uint8Array(randomBytes(32)))
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
    const kid = await createFirstKey(sql, encryption)
    expect(await createFirstKey(sql, encryption)).toBeUndefined()
    expect(await kids()).toEqual([`${kid} signing`])
  })

  // Ten replicas that start together on an empty database.
  test('is one, however many make it at once', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => createFirstKey(sql, encryption)))
    expect(made.filter((kid) => kid !== undefined)).toHaveLength(1)
    expect(await kids()).toHaveLength(1)
  })

  // A copy of the database alone signs nothing.
  test('is stored with its private half encrypted', async () => {
    await createFirstKey(sql, encryption)
    const [row] = await sql<[{ kid: string; encrypted: Buffer; public_jwk: object }]>`
      select kid, sealed_private_jwk as encrypted, public_jwk from signing_keys`
    expect(row.public_jwk).not.toHaveProperty('d')
    const { d } = JSON.parse(encryption.decrypt(row.kid, row.encrypted))
    expect(d).toMatch(/^[\w-]{43}$/)
    const [whole] = await sql`select signing_keys::text as text from signing_keys`
    expect(whole?.text).not.toContain(d)
    expect(row.encrypted.includes(d)).toBe(false)
  })
})

describe('the key ring', () => {
  test('names the command to run where there is no signing key', async () => {
    await expect(createKeyRing(sql, encryption)).rejects.toThrow(
      'There is no signing key: make one with npm run keys -- create',
    )
  })

  test('names the variable where KEY_ENCRYPTION_KEY is another one', async () => {
    await createFirstKey(sql, encryption)
    const other = createEncryption(new Uint8Array(randomBytes(32)))
    await expect(createKeyRing(sql, other)).rejects.toThrow(
      'KEY_ENCRYPTION_KEY does not decrypt the signing key in the database',
    )
  })

  // An attacker who can write to the database moves an encrypted key to the kid of the signing key.
  test('does not decrypt a key that was moved to another kid', async () => {
    await createFirstKey(sql, encryption)
    await sql`update signing_keys set kid = 'another-kid'`
    await expect(createKeyRing(sql, encryption)).rejects.toThrow('KEY_ENCRYPTION_KEY does not decrypt')
  })

  test('publishes every key and signs with the signing one alone', async () => {
    const retired = await createFirstKey(sql, encryption)
    await sql`update signing_keys set state = 'retiring'`
    const kid = await createFirstKey(sql, encryption)
    const ring = await createKeyRing(sql, encryption)
    expect(ring.signing().kid).toBe(kid)
    expect(ring.published().map((key) => key.kid)).toEqual([retired, kid])
  })

  test('follows what changed at a refresh, and keeps what it knew where the refresh fails', async () => {
    const first = await createFirstKey(sql, encryption)
    const ring = await createKeyRing(sql, encryption)
    await sql`truncate signing_keys`
    await expect(ring.refresh()).rejects.toThrow('There is no signing key')
    expect(ring.signing().kid).toBe(first)
    expect(ring.published()).toHaveLength(1)
    const second = await createFirstKey(sql, encryption)
    await ring.refresh()
    expect(ring.signing().kid).toBe(second)
  })
})

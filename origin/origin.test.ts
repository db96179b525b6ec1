import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { generateSecrets } from '../dev/secrets.ts'
import { readConfig } from '../shared/config.ts'
import { createCapturedLog } from '../test/support/captured-log.ts'
import { createTestDatabase, directUrl, type TestDatabase } from '../tools/servers/postgres/test-database.ts'
import { originVariables } from './config.ts'
import { createOrigin } from './origin.ts'

let secrets: Record<string, string>
let database: TestDatabase
beforeAll(async () => {
  secrets = await generateSecrets()
  database = await createTestDatabase()
})
afterAll(() => database.drop())

/** Variables without a default in production. */
const production = {
  NODE_ENV: 'production',
  ISSUER_URL: 'https://api.example.com',
  FRONTEND_URL: 'https://app.example.com',
  UPGRADE_URL: 'https://app.example.com/upgrade',
  REDIS_URL: 'redis://127.0.0.1:6379',
  SMTP_URL: 'smtp://127.0.0.1:25',
  MAIL_FROM: 'no-reply@example.com',
}

/** Starts an origin on the database, as its main does. */
function start(environment: Record<string, string> = {}) {
  const config = readConfig(originVariables, {
    ...secrets,
    PASSWORD_HASH_COST: '10',
    DATABASE_URL: database.url,
    ...environment,
  })
  return createOrigin(config, createCapturedLog('origin').log)
}

describe('the origin', () => {
  // A key made silently would be another on each replica, and all tokens of the last one worthless.
  test('rejects to start in production without a signing key, and makes none', async () => {
    await expect(start(production)).rejects.toThrow('There is no signing key')
    const sql = postgres(directUrl(database.url), { max: 1 })
    expect(await sql`select from signing_keys`).toHaveLength(0)
    await sql.end()
  })

  test('starts in production with the existing key, whichever process made it', async () => {
    await (await start()).close()
    const origin = await start(production)
    expect((await origin.app.request('/ready')).status).toBe(200)
    await origin.close()
  })

  test('rejects to start with a KEY_ENCRYPTION_KEY that does not open the key', async () => {
    await (await start()).close()
    const KEY_ENCRYPTION_KEY = randomBytes(32).toString('base64')
    await expect(start({ KEY_ENCRYPTION_KEY })).rejects.toThrow('KEY_ENCRYPTION_KEY does not decrypt')
  })

  // One secret for two purposes lets what leaks of the one break the other.
  test('rejects one secret for two purposes', () => {
    const { REFRESH_TOKEN_KEY } = secrets
    expect(() => start({ DEVICE_COOKIE_KEY: REFRESH_TOKEN_KEY ?? '' })).toThrow(
      'REFRESH_TOKEN_KEY and DEVICE_COOKIE_KEY must differ',
    )
  })

  test('rejects to start on a database without our schema', async () => {
    await expect(start({ DATABASE_URL: inject('postgresUrl') })).rejects.toThrow(
      /schema version 0, this code needs \d+: run npm run migrate/,
    )
  })

  // Else the process would outlive its stop signal until it is killed.
  test('closes although the database ended a connection under a query', async () => {
    const origin = await start()
    await expect(origin.sql`select pg_terminate_backend(pg_backend_pid())`).rejects.toThrow()
    await origin.close()
  })
})

import { randomBytes } from 'node:crypto'
import { closeSeconds, createDatabase } from '../../../origin/db/database.ts'
import { createEncryption, type Encryption } from '../../../origin/keys/encryption.ts'
import type { KeyState, KeyWaits } from '../../../origin/keys/rules.ts'
import { createKeyService } from '../../../origin/keys/service.ts'
import { createTestDatabase } from '../../../tools/servers/postgres/test-database.ts'
import { createCapturedLog } from '../captured-log.ts'

export const operator = { ip: null, userAgent: 'test', requestId: 'test-request' }
export const waits: KeyWaits = { published: 720, signing: 7_776_000, retiring: 1025 }

export type KeyDatabase = Awaited<ReturnType<typeof openKeyDatabase>>

/** A database of its own with the keys in it, whose time moves when a test says so. */
export async function openKeyDatabase() {
  const database = await createTestDatabase()
  const sql = createDatabase({
    url: database.url,
    poolMax: 10,
    idleSeconds: 5,
    connectSeconds: 5,
    statementSeconds: 5,
    log: createCapturedLog('keys').log,
  })
  const keyEncryptionKey = randomBytes(32)
  const encryption = createEncryption(keyEncryptionKey)
  const serviceWith = (other: Encryption) => createKeyService({ sql, encryption: other, waits })

  return {
    url: database.url,
    sql,
    encryption,
    keyEncryptionKey: keyEncryptionKey.toString('base64'),
    /** As another replica would have it. */
    serviceWith,
    service: serviceWith(encryption),
    clear: () => sql`truncate signing_keys, assertion_keys, audit_logs, mail_outbox`,
    /** Lets time go by for every key. */
    pass: (seconds: number) =>
      sql`update signing_keys set state_since = state_since - make_interval(secs => ${seconds})`,
    async states(): Promise<Record<string, KeyState>> {
      const rows = await sql<{ kid: string; state: KeyState }[]>`select kid, state from signing_keys`
      return Object.fromEntries(rows.map(({ kid, state }) => [kid, state]))
    },
    async audit(): Promise<string[]> {
      const rows = await sql`select action, details->>'kid' as kid from audit_logs order by id`
      return rows.map(({ action, kid }) => `${action} ${kid}`)
    },
    async close() {
      await sql.end({ timeout: closeSeconds })
      await database.drop()
    },
  }
}

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { type KeyDatabase, openKeyDatabase, operator } from '../../test/support/database/key-database.ts'
import { createMailer } from '../mail/mailer.ts'
import { createOutbox } from '../mail/outbox.ts'
import { createEncryption, type Encryption } from './encryption.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing } from './key-ring.ts'
import { reencrypt } from './reencrypt.ts'

let keys: KeyDatabase
let from: Encryption
let to: Encryption
beforeAll(async () => {
  keys = await openKeyDatabase()
  from = keys.encryption
})
beforeEach(async () => {
  await keys.clear()
  to = createEncryption(randomBytes(32))
})
afterAll(() => keys.close())

/** Mails that the outbox delivers go to its log. */
function outboxWith(encryption: Encryption) {
  const { log, lines } = createCapturedLog('origin')
  const outbox = createOutbox({
    sql: keys.sql,
    encryption,
    budget: { spend: async () => undefined },
    mailer: createMailer({ smtpUrl: undefined, from: 'Gatehouse <no-reply@localhost>', log }),
    log,
  })
  return { outbox, delivered: () => lines.filter(({ msg }) => msg === 'mail').map(({ text }) => text) }
}

const enqueue = (encryption: Encryption, to: string, text: string) =>
  outboxWith(encryption).outbox.enqueue(keys.sql, { to, message: { subject: 'Reset', text } })

describe('re-encryption', () => {
  test('puts keys and waiting mails under the new key: it opens them, the old one does not', async () => {
    const kid = await createFirstKey(keys.sql, from)
    const next = await keys.service.publishSuccessor(operator)
    await enqueue(from, 'ada@example.com', 'the link')

    expect(await reencrypt(keys.sql, { from, to }, operator)).toEqual({ reencrypted: 3, kept: 0, lost: 0 })
    await expect(createKeyRing(keys.sql, from)).rejects.toThrow('KEY_ENCRYPTION_KEY does not decrypt')
    const ring = await createKeyRing(keys.sql, to)
    expect(ring.signing().kid).toBe(kid)
    expect(ring.published().map((key) => key.kid)).toEqual([kid, next])
    const { outbox, delivered } = outboxWith(to)
    await outbox.deliverDue()
    expect(delivered()).toEqual(['the link'])
    expect((await keys.audit()).at(-1)).toContain('key.resealed')
  })

  // A replica that still has the old key writes mail until it is restarted.
  test('may run again, for values encrypted with the old key meanwhile', async () => {
    await createFirstKey(keys.sql, from)
    await reencrypt(keys.sql, { from, to }, operator)
    await enqueue(from, 'ada@example.com', 'the late link')
    expect(await reencrypt(keys.sql, { from, to }, operator)).toEqual({ reencrypted: 1, kept: 1, lost: 0 })
    expect(await reencrypt(keys.sql, { from, to }, operator)).toEqual({ reencrypted: 0, kept: 2, lost: 0 })
    expect(await keys.audit()).toHaveLength(2)
  })

  test('with another old key changes nothing', async () => {
    await createFirstKey(keys.sql, from)
    await enqueue(from, 'ada@example.com', 'the link')
    const before = await keys.sql`select * from signing_keys, mail_outbox`
    const wrong = createEncryption(randomBytes(32))
    await expect(reencrypt(keys.sql, { from: wrong, to }, operator)).rejects.toThrow(
      'KEY_ENCRYPTION_KEY does not',
    )
    expect(await keys.sql`select * from signing_keys, mail_outbox`).toEqual(before)
  })

  test('puts imported secrets of TOTP under the new key', async () => {
    await createFirstKey(keys.sql, from)
    const [account] = await keys.sql<[{ id: string }]>`
      insert into user_accounts (email, role_id) select 'ada@example.com', id from roles where name = 'user'
      returning id`
    const name = `totp_secrets:${account.id}`
    await keys.sql`
      insert into totp_secrets (user_id, encrypted_secret) values (${account.id}, ${from.encrypt(name, 'SECRET')})`
    expect(await reencrypt(keys.sql, { from, to }, operator)).toEqual({ reencrypted: 2, kept: 0, lost: 0 })
    const [row] = await keys.sql`select encrypted_secret from totp_secrets`
    expect(to.decrypt(name, row?.encrypted_secret)).toBe('SECRET')
    await keys.sql`delete from user_accounts`
  })

  test('leaves a mail that no key opens, and counts it', async () => {
    await createFirstKey(keys.sql, from)
    await enqueue(createEncryption(randomBytes(32)), 'ada@example.com', 'nobody knows')
    expect(await reencrypt(keys.sql, { from, to }, operator)).toEqual({ reencrypted: 1, kept: 0, lost: 1 })
  })
})

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { type KeyDatabase, openKeyDatabase, operator } from '../../test/support/key-database.ts'
import { createMailer } from '../mail/mailer.ts'
import { createOutbox } from '../mail/outbox.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing } from './key-ring.ts'
import { reseal } from './reseal.ts'
import { createSealing, type Sealing } from './sealing.ts'

let keys: KeyDatabase
let from: Sealing
let to: Sealing
beforeAll(async () => {
  keys = await openKeyDatabase()
  from = keys.sealing
})
beforeEach(async () => {
  await keys.clear()
  to = createSealing(randomBytes(32))
})
afterAll(() => keys.close())

/** Mails that the outbox delivers go to its log. */
function outboxWith(sealing: Sealing) {
  const { log, lines } = createCapturedLog('origin')
  const outbox = createOutbox({
    sql: keys.sql,
    sealing,
    mailer: createMailer({ smtpUrl: undefined, from: 'Gatehouse <no-reply@localhost>', log }),
    log,
  })
  return { outbox, delivered: () => lines.filter(({ msg }) => msg === 'mail').map(({ text }) => text) }
}

const enqueue = (sealing: Sealing, to: string, text: string) =>
  outboxWith(sealing).outbox.enqueue(keys.sql, { to, message: { subject: 'Reset', text } })

describe('a reseal', () => {
  test('puts keys and waiting mails under the new key: it opens them, the old one does not', async () => {
    const kid = await createFirstKey(keys.sql, from)
    const next = await keys.service.publishSuccessor(operator)
    await enqueue(from, 'ada@example.com', 'the link')

    expect(await reseal(keys.sql, { from, to }, operator)).toEqual({ resealed: 3, kept: 0, lost: 0 })
    await expect(createKeyRing(keys.sql, from)).rejects.toThrow('KEY_ENCRYPTION_KEY does not open')
    const ring = await createKeyRing(keys.sql, to)
    expect(ring.signing().kid).toBe(kid)
    expect(ring.published().map((key) => key.kid)).toEqual([kid, next])
    const { outbox, delivered } = outboxWith(to)
    await outbox.deliverDue()
    expect(delivered()).toEqual(['the link'])
    expect((await keys.audit()).at(-1)).toContain('key.resealed')
  })

  // A replica that still has the old key writes mail until it is restarted.
  test('may run again, for what was sealed with the old key meanwhile', async () => {
    await createFirstKey(keys.sql, from)
    await reseal(keys.sql, { from, to }, operator)
    await enqueue(from, 'ada@example.com', 'the late link')
    expect(await reseal(keys.sql, { from, to }, operator)).toEqual({ resealed: 1, kept: 1, lost: 0 })
    expect(await reseal(keys.sql, { from, to }, operator)).toEqual({ resealed: 0, kept: 2, lost: 0 })
    expect(await keys.audit()).toHaveLength(2)
  })

  test('with another old key changes nothing', async () => {
    await createFirstKey(keys.sql, from)
    await enqueue(from, 'ada@example.com', 'the link')
    const before = await keys.sql`select * from signing_keys, mail_outbox`
    const wrong = createSealing(randomBytes(32))
    await expect(reseal(keys.sql, { from: wrong, to }, operator)).rejects.toThrow(
      'KEY_ENCRYPTION_KEY does not',
    )
    expect(await keys.sql`select * from signing_keys, mail_outbox`).toEqual(before)
  })

  test('leaves a mail that no key opens, and counts it', async () => {
    await createFirstKey(keys.sql, from)
    await enqueue(createSealing(randomBytes(32)), 'ada@example.com', 'nobody knows')
    expect(await reseal(keys.sql, { from, to }, operator)).toEqual({ resealed: 1, kept: 0, lost: 1 })
  })
})

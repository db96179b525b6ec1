import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { startMailServer, type TestMailServer } from '../../test/support/full-stack/mail-server.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { closeSeconds, createDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { createEncryption, type Encryption } from '../keys/encryption.ts'
import { createMailer, MailError, type Mailer } from './mailer.ts'
import { createMessages } from './messages.ts'
import { createOutbox, type Outbox } from './outbox.ts'

const token = 'k3-Token_of-43-characters_as-they-are-here_1'
const messages = createMessages({ frontendUrl: 'https://app.example.com', product: 'Example' })
const message = messages.resetPassword({ token, expiresAt: new Date(Date.now() + 30 * 60_000) })
const to = 'ada.lovelace@example.com'

const { log, lines } = createCapturedLog('origin')

/** A budget without limits. */
const budget = { spend: async () => undefined }

let database: TestDatabase
let sql: Sql
let encryption: Encryption
beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect()
  encryption = createEncryption(crypto.getRandomValues(new Uint8Array(32)))
})
afterAll(async () => {
  await sql.end({ timeout: closeSeconds })
  await database.drop()
})

let server: TestMailServer
let mailer: Mailer
let outbox: Outbox
beforeEach(async () => {
  server = await startMailServer()
  mailer = createMailer({ smtpUrl: server.url, from: 'no-reply@gatehouse.example', log })
  outbox = createOutbox({ sql, encryption, mailer, budget, log })
})
afterEach(async () => {
  mailer.close()
  await server.close()
  await sql`truncate mail_outbox`
  // Holds for whatever a test did: only the mailer of development writes mails to the log.
  expect(JSON.stringify(lines)).not.toContain(token)
  expect(JSON.stringify(lines)).not.toContain('ada.lovelace')
  lines.length = 0
})

function connect() {
  return createDatabase({
    url: database.url,
    poolMax: 10,
    idleSeconds: 5,
    connectSeconds: 5,
    statementSeconds: 30,
    log,
  })
}

const enqueue = () => sql.begin((transaction) => outbox.enqueue(transaction, { to, message }))

const rows = () => sql`
  select recipient, subject, attempts, last_error, next_attempt_at = 'infinity' as parked,
    round(extract(epoch from nullif(next_attempt_at, 'infinity') - now()))::float8 as wait_seconds
  from mail_outbox`

/** Makes every waiting mail due, as time does. */
const passTime = () => sql`update mail_outbox set next_attempt_at = now() where next_attempt_at < 'infinity'`

describe('a mail', () => {
  test('exists when its cause was committed, is delivered once, and its row is gone', async () => {
    await enqueue()
    await outbox.deliverDue()
    await outbox.deliverDue()
    expect(server.mails).toMatchObject([{ recipients: [to], body: message.text }])
    expect(server.mails[0]?.headers).toContain(`Subject: ${message.subject}`)
    expect(await rows()).toHaveLength(0)
  })

  test('does not exist where its cause was rolled back', async () => {
    const failing = sql.begin(async (transaction) => {
      await outbox.enqueue(transaction, { to, message })
      throw new Error('the cause failed')
    })
    await expect(failing).rejects.toThrow('the cause failed')
    await outbox.deliverDue()
    expect(await rows()).toHaveLength(0)
    expect(server.mails).toEqual([])
  })

  test('is not sent before its cause is committed', async () => {
    await sql.begin(async (transaction) => {
      await outbox.enqueue(transaction, { to, message })
      await outbox.deliverDue()
      expect(server.mails).toEqual([])
    })
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(1)
  })

  test('outlives a mail server that is down: the error is recorded, and later it is delivered', async () => {
    await server.close()
    await enqueue()
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([
      { attempts: 1, last_error: 'ESOCKET ECONNREFUSED CONN', wait_seconds: 5, parked: false },
    ])
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([{ attempts: 1 }])
    await passTime()
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([{ attempts: 2, wait_seconds: 10 }])

    server = await startMailServer(server.port)
    await passTime()
    await outbox.deliverDue()
    expect(server.mails).toMatchObject([{ recipients: [to], body: message.text }])
    expect(await rows()).toHaveLength(0)
  })

  // Greylisting: a server's way to find out who comes back.
  test('that the server postpones is delivered when it accepts it', async () => {
    await enqueue()
    server.refuseWith({ responseCode: 451, message: `4.7.1 ${to} come back later` })
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([{ last_error: 'EENVELOPE RCPT TO 451 4.7.1', wait_seconds: 5 }])
    server.refuseWith(undefined)
    await passTime()
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(1)
  })

  test('that fails does not hold up those behind it', async () => {
    await sql.begin(async (transaction) => {
      await outbox.enqueue(transaction, { to: 'a@b@c', message })
      for (let index = 0; index < 7; index++) await outbox.enqueue(transaction, { to, message })
    })
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(7)
    expect(await rows()).toMatchObject([{ recipient: 'a@b@c' }])
  })

  test('of a queue of hundreds is left alone where the server is down, but for one batch', async () => {
    await server.close()
    await sql`
      insert into mail_outbox (recipient, subject, sealed_body)
      select ${to}, 'x', ${encryption.encrypt(`mail_outbox:${to}`, 'x')} from generate_series(1, 200)`
    await outbox.deliverDue()
    expect((await rows()).filter(({ attempts }) => attempts > 0)).toHaveLength(5)
  })
})

describe('recipients that the server does not take', () => {
  const others = (count: number) =>
    sql.begin(async (transaction) => {
      for (let index = 0; index < count; index++)
        await outbox.enqueue(transaction, { to: `unknown-${index}@example.com`, message })
    })

  test.each([
    [550, '5.1.1 unknown here'],
    [450, '4.2.2 mailbox full'],
  ])('180 of them with %i do not hold up the one behind them', async (responseCode, text) => {
    server.refuseWith({ responseCode, message: text }, ({ address }) => address.startsWith('unknown-'))
    await others(180)
    await enqueue()
    await outbox.deliverDue()
    expect(server.mails.map(({ recipients }) => recipients)).toEqual([[to]])
    const tried = await sql`select from mail_outbox where attempts = 1`
    expect(tried).toHaveLength(180)
  })

  test('421 is an outage: the session ends, and the others wait', async () => {
    server.refuseWith({ responseCode: 421, message: '4.3.2 shutting down' })
    await others(20)
    await outbox.deliverDue()
    expect((await rows()).filter(({ attempts }) => attempts > 0)).toHaveLength(5)
  })

  // The server rejects every mail: a wrong MAIL_FROM must not make all mails wait for an operator.
  test('a rejected sender is an outage, and gives no mail up', async () => {
    server.refuseSenderWith({ responseCode: 550, message: '5.7.1 you may not send as this' })
    await others(20)
    await outbox.deliverDue()
    const tried = (await rows()).filter(({ attempts }) => attempts > 0)
    expect(tried).toHaveLength(5)
    expect(tried[0]).toMatchObject({ last_error: 'EENVELOPE MAIL FROM 550 5.7.1', parked: false })
    server.refuseSenderWith(undefined)
  })
})

describe('a mail whose link has expired', () => {
  const expire = () => sql`update mail_outbox set expires_at = now()`

  test('is not sent after an outage: its row is gone, and the log says so without an address', async () => {
    await enqueue()
    await expire()
    const outcomes: string[] = []
    await createOutbox({
      sql,
      encryption,
      mailer,
      budget,
      log,
      onAttempt: (outcome) => outcomes.push(outcome),
    }).deliverDue()
    expect(server.mails).toEqual([])
    expect(await rows()).toHaveLength(0)
    expect(outcomes).toEqual(['expired'])
    expect(lines).toMatchObject([
      { level: 'warn', msg: 'mail dropped: its link has expired', recipient_domain: 'example.com' },
    ])
  })

  test('does not hold up those behind it', async () => {
    for (let index = 0; index < 12; index++) await enqueue()
    await expire()
    await enqueue()
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(1)
    expect(await rows()).toHaveLength(0)
  })

  test('is sent while the link works, and a mail without a link whenever it may be', async () => {
    await enqueue()
    await sql.begin((transaction) => outbox.enqueue(transaction, { to, message: messages.passwordChanged() }))
    await sql`update mail_outbox set created_at = now() - interval '4 days'`
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(2)
  })
})

describe('a mail that the server rejects for good', () => {
  test('is tried once, then stays, never due again, with an error in the log that names no address', async () => {
    await enqueue()
    server.refuseWith({ responseCode: 550, message: `5.1.1 <${to}> is unknown here` })
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([
      { attempts: 1, last_error: 'EENVELOPE RCPT TO 550 5.1.1', parked: true },
    ])
    await passTime()
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([{ attempts: 1 }])
    expect(lines.filter(({ level }) => level === 'error')).toMatchObject([
      {
        msg: 'mail given up',
        recipient_domain: 'example.com',
        attempts: 1,
        reason: 'EENVELOPE RCPT TO 550 5.1.1',
      },
    ])
  })

  test('is delivered when an operator removes the cause and makes it due again', async () => {
    await enqueue()
    await sql`update mail_outbox set next_attempt_at = 'infinity', attempts = 3`
    await sql`update mail_outbox set next_attempt_at = now()`
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(1)
  })
})

describe('several relays', () => {
  test('at once deliver each mail once', async () => {
    const pools = Array.from({ length: 4 }, connect)
    const relays = pools.map((pool) => createOutbox({ sql: pool, encryption, mailer, budget, log }))
    for (let round = 0; round < 5; round++) {
      await sql.begin(async (transaction) => {
        for (let index = 0; index < 20; index++)
          await outbox.enqueue(transaction, {
            to: `ada.lovelace-${index}@example.com`,
            message,
            requestedBy: null,
          })
      })
      await Promise.all(relays.map((relay) => relay.deliverDue()))
      const recipients = server.mails.splice(0).flatMap((mail) => mail.recipients)
      expect(recipients).toHaveLength(20)
      expect(new Set(recipients).size).toBe(20)
      expect(await rows()).toHaveLength(0)
    }
    await Promise.all(pools.map((pool) => pool.end({ timeout: closeSeconds })))
  })

  test('do not send what another is still sending, and no transaction is open meanwhile', async () => {
    await enqueue()
    const letGo = server.hold()
    const first = outbox.deliverDue()
    await expect.poll(rows, { interval: 5 }).toMatchObject([{ attempts: 1, wait_seconds: 120 }])
    await outbox.deliverDue()
    expect(await rows()).toMatchObject([{ attempts: 1 }])
    const open = await sql`
      select from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`
    expect(open).toHaveLength(0)
    letGo()
    await first
    expect(server.mails).toHaveLength(1)
  })

  test('take over from one that died: its mail is due again when its claim ends', async () => {
    await enqueue()
    const dying = createOutbox({
      sql,
      encryption,
      budget,
      log,
      mailer: {
        async send() {
          throw new TypeError('as good as dead')
        },
      },
    })
    await expect(dying.deliverDue()).rejects.toThrow('as good as dead')
    await outbox.deliverDue()
    expect(server.mails).toEqual([])
    await passTime()
    await outbox.deliverDue()
    expect(server.mails).toHaveLength(1)
  })

  // The race that is accepted: a copy may be sent, but it can be told from a second mail.
  test('that send a mail twice after all give both copies one Message-ID, and another mail another', async () => {
    await enqueue()
    const letGo = server.hold()
    const slow = outbox.deliverDue()
    await expect.poll(rows, { interval: 5 }).toMatchObject([{ attempts: 1 }])
    await passTime()
    const other = outbox.deliverDue()
    await expect.poll(rows, { interval: 5 }).toMatchObject([{ attempts: 2 }])
    letGo()
    await Promise.all([slow, other])
    await enqueue()
    await outbox.deliverDue()
    const ids = server.mails.map(({ headers }) => headers.find((line) => line.startsWith('Message-ID:')))
    expect(ids).toHaveLength(3)
    expect(ids[0]).toBe(ids[1])
    expect(ids[2]).not.toBe(ids[0])
    expect(await rows()).toHaveLength(0)
  })

  test('whose claim has passed to another relay do not change that claim when they fail', async () => {
    await enqueue()
    const { promise: failed, reject: fail } = Promise.withResolvers<void>()
    const late = createOutbox({ sql, encryption, budget, log, mailer: createFailing(failed) }).deliverDue()
    await expect.poll(rows, { interval: 5 }).toMatchObject([{ attempts: 1 }])
    await sql`update mail_outbox set attempts = 2, next_attempt_at = now() + interval '100 seconds'`
    fail(undefined)
    await late
    expect(await rows()).toMatchObject([{ attempts: 2, wait_seconds: 100, last_error: null }])
  })
})

describe('what lies in the table', () => {
  test('shows no token: neither the row as text nor the bytes of the body', async () => {
    await enqueue()
    const [row] = await sql<[{ text: string; sealed_body: Buffer }]>`
      select mail_outbox::text as text, sealed_body from mail_outbox`
    expect(row.text).not.toContain(token)
    expect(row.text).not.toContain(Buffer.from(token).toString('hex'))
    expect(row.sealed_body.includes(token)).toBe(false)
    expect(row.sealed_body.includes('https://')).toBe(false)
  })

  // An attacker who can write to the table, but has no key, would have a victim's reset link sent
  // to himself.
  test('decrypts for its recipient alone: a row with another recipient is not sent', async () => {
    await enqueue()
    await sql`update mail_outbox set recipient = 'eve@example.com'`
    await outbox.deliverDue()
    expect(server.mails).toEqual([])
    expect(await rows()).toMatchObject([
      { last_error: 'the encrypted body cannot be decrypted', wait_seconds: 5 },
    ])
  })

  test('opens under no other name, so a body copied to another table is of no use there', async () => {
    await enqueue()
    const [row] = await sql<[{ sealed_body: Buffer }]>`select sealed_body from mail_outbox`
    for (const name of ['', 'mail_outbox', to, `signing_keys:${to}`])
      expect(() => encryption.decrypt(name, row.sealed_body)).toThrow()
    expect(encryption.decrypt(`mail_outbox:${to}`, row.sealed_body)).toBe(message.text)
  })
})

test('a delivery that is stopped begins no further batch', async () => {
  for (let index = 0; index < 12; index++) await enqueue()
  const letGo = server.hold()
  const stopping = new AbortController()
  const delivery = outbox.deliverDue(stopping.signal)
  await expect.poll(async () => (await rows()).filter(({ attempts }) => attempts === 1).length).toBe(5)
  stopping.abort()
  letGo()
  await delivery
  expect(server.mails).toHaveLength(5)
  expect(await rows()).toHaveLength(7)
})

function createFailing(failed: Promise<void>): Pick<Mailer, 'send'> {
  return {
    async send() {
      await failed.catch(() => {
        throw new MailError('late', 'outage')
      })
    },
  }
}

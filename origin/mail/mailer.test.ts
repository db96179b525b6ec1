import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { startMailServer, type TestMailServer } from '../../test/support/full-stack/mail-server.ts'
import { createMailer, type Mail, MailError, type Mailer } from './mailer.ts'

const from = 'Gatehouse <no-reply@gatehouse.example>'
const mail: Mail = {
  to: 'ada@example.com',
  subject: 'Hello',
  text: `Open:\n\nhttps://app.example.com/reset-password#token=${'secret-'.repeat(12)}\n\nBye.\n`,
  id: 'f00d',
}
const { log, lines } = createCapturedLog('mail')

let server: TestMailServer
let mailer: Mailer
beforeAll(async () => {
  server = await startMailServer()
  mailer = createMailer({ smtpUrl: server.url, from, log })
})
beforeEach(() => {
  server.mails.length = 0
  server.refuseWith(undefined)
})
afterAll(async () => {
  mailer.close()
  await server.close()
})

async function failureOf(action: Promise<unknown>): Promise<MailError> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(MailError)
  return error as MailError
}

describe('a mail', () => {
  test('arrives unchanged, from MAIL_FROM, marked as auto-generated, with a Message-ID', async () => {
    await mailer.send(mail)
    const [received] = server.mails
    expect(received?.recipients).toEqual(['ada@example.com'])
    expect(received?.body).toBe(mail.text)
    expect(received?.headers).toEqual(
      expect.arrayContaining([
        `From: ${from}`,
        'To: ada@example.com',
        'Subject: Hello',
        'Auto-Submitted: auto-generated',
        'Message-ID: <f00d@gatehouse.example>',
      ]),
    )
  })

  test.each(
    [..."!#$%&'*+-/=?^_`{|}~"].map((sign) => `a${sign}b@example.com`).concat('=?utf-8?q?a?=@example.com'),
  )('to %s goes to this address and no other', async (to) => {
    await mailer.send({ ...mail, to })
    const [received] = server.mails
    expect(received?.recipients).toEqual([to])
    expect(received?.headers).toContain(`To: ${to}`)
  })

  test('to an international domain goes there, in A-labels', async () => {
    await mailer.send({ ...mail, to: 'ada@xn--mnchen-3ya.de' })
    const [received] = server.mails
    // The server tells the domain in Unicode.
    expect(received?.recipients).toEqual(['ada@münchen.de'])
    expect(received?.headers).toContain('To: ada@xn--mnchen-3ya.de')
  })

  // An attacker who gets a line break into a header writes headers of his own, and reads what is
  // not his.
  test.each([['\r\n'], ['\n'], ['\r']])(
    'with a subject that has %j gets no additional header',
    async (lineBreak) => {
      await mailer.send(mail)
      await mailer.send({
        ...mail,
        subject: `Hello${lineBreak}Bcc: eve@example.com${lineBreak}${lineBreak}<p>`,
      })
      const [plain, attacked] = server.mails
      const names = (headers: string[] = []) => headers.map((line) => line.split(':')[0])
      expect(names(attacked?.headers)).toEqual(names(plain?.headers))
      expect(attacked?.recipients).toEqual(['ada@example.com'])
      expect(attacked?.body).toBe(mail.text)
    },
  )

  test.each([
    ['ada@example.com\r\nBcc: eve@example.com'],
    ['ada@example.com\nRCPT TO:<eve@example.com>'],
    ['ada@example.com, eve@example.com'],
    ['Ada <eve@example.com>'],
    ['eve@example.com> <ada@example.com'],
    ['"eve@example.com"@example.com'],
    ['ada'],
  ])('to %j, which is not one plain address, is rejected before a connection is opened', async (to) => {
    const error = await failureOf(mailer.send({ ...mail, to }))
    expect(error).toMatchObject({ kind: 'rejected', message: 'recipient is not one plain address' })
    expect(server.mails).toEqual([])
  })
})

describe('a failure is reported by codes alone, as temporary or permanent:', () => {
  test('550 is for good', async () => {
    server.refuseWith({ responseCode: 550, message: '5.1.1 <ada@example.com> is unknown here' })
    expect(await failureOf(mailer.send(mail))).toMatchObject({
      message: 'EENVELOPE RCPT TO 550 5.1.1',
      kind: 'rejected',
    })
  })

  test('451 is not', async () => {
    server.refuseWith({ responseCode: 451, message: '4.7.1 <ada@example.com> greylisted' })
    expect(await failureOf(mailer.send(mail))).toMatchObject({
      message: 'EENVELOPE RCPT TO 451 4.7.1',
      kind: 'postponed',
    })
  })

  test('a server that is down is not', async () => {
    const gone = await startMailServer()
    await gone.close()
    const other = createMailer({ smtpUrl: gone.url, from, log })
    const error = await failureOf(other.send(mail))
    expect(error).toMatchObject({ message: 'ESOCKET ECONNREFUSED CONN', kind: 'outage' })
    other.close()
  })

  test('a server that connects and never speaks is not, and is not waited for beyond the deadline', async () => {
    const silent = await new Promise<Server>((resolve) => {
      const listening = createServer(() => {}).listen(0, '127.0.0.1', () => resolve(listening))
    })
    const { port } = silent.address() as { port: number }
    const other = createMailer({ smtpUrl: `smtp://127.0.0.1:${port}`, from, log, deadlineSeconds: 0.03 })
    expect(await failureOf(other.send(mail))).toMatchObject({ message: 'EABORT', kind: 'outage' })
    other.close()
    silent.close()
  })

  // An attacker between origin and mail server removes STARTTLS from its greeting, and reads the
  // password.
  test('a server without TLS does not get the password', async () => {
    const url = server.url.replace('smtp://', 'smtp://user:pass@')
    const other = createMailer({ smtpUrl: url, from, log })
    expect(await failureOf(other.send(mail))).toMatchObject({ message: expect.stringContaining('ETLS') })
    other.close()
  })
})

describe('without SMTP_URL', () => {
  test('the log says so once, and then shows each mail with its link, at warn', async () => {
    const captured = createCapturedLog('mail')
    const other = createMailer({ smtpUrl: undefined, from, log: captured.log })
    await other.send(mail)
    expect(captured.lines).toMatchObject([
      { level: 'warn', msg: expect.stringContaining('SMTP_URL is not set') },
      { level: 'warn', to: mail.to, subject: mail.subject, text: mail.text, msg: 'mail' },
    ])
  })
})

test('with SMTP_URL the mailer logs nothing', () => {
  expect(lines).toEqual([])
})

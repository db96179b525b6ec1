import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'

export interface ReceivedMail {
  /** Of the envelope, which is what a mail server goes by. */
  recipients: string[]
  /** Header lines, unfolded. */
  headers: string[]
  body: string
}

interface Reply {
  responseCode: number
  message: string
}

const toError = (reply: Reply | undefined) =>
  reply && Object.assign(new Error(reply.message), { responseCode: reply.responseCode })

export type TestMailServer = Awaited<ReturnType<typeof startMailServer>>

/** A real SMTP server on a port of 127.0.0.1, that keeps what it is given. */
export async function startMailServer(port = 0) {
  const mails: ReceivedMail[] = []
  let refusal: Error | undefined
  let isRefused: (recipient: { address: string }) => boolean = () => true
  let senderRefusal: Error | undefined
  let gate: Promise<void> = Promise.resolve()
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 10,
    onMailFrom: (_address, _session, done) => done(senderRefusal),
    onRcptTo: (address, _session, done) => done(isRefused(address) ? refusal : undefined),
    async onData(stream, session, done) {
      const raw = await text(stream)
      await gate
      const [head = '', ...rest] = raw.split('\r\n\r\n')
      mails.push({
        recipients: session.envelope.rcptTo.map(({ address }) => address),
        headers: head.replace(/\r\n[ \t]+/g, ' ').split('\r\n'),
        body: decodeQuotedPrintable(rest.join('\r\n\r\n')),
      })
      done()
    },
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const address = server.server.address() as AddressInfo

  return {
    mails,
    port: address.port,
    url: `smtp://127.0.0.1:${address.port}`,
    /** Answers recipients, by default every one, with this reply; undefined takes them again. */
    refuseWith(reply: Reply | undefined, which: typeof isRefused = () => true) {
      refusal = toError(reply)
      isRefused = which
    },
    /** The same for the sender. */
    refuseSenderWith(reply: Reply | undefined) {
      senderRefusal = toError(reply)
    },
    /** Takes no mail to its end until what it returns is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
    close: () => new Promise<void>((resolve) => server.close(resolve)),
  }
}

/** RFC 2045, section 6.7, as far as ASCII goes: a soft line break is `=` at a line's end. */
function decodeQuotedPrintable(encoded: string): string {
  return encoded
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll('\r\n', '\n')
}

import { createTransport, type NodemailerError } from 'nodemailer'
import type { Log } from '../../shared/lib/log.ts'

export interface Mail {
  to: string
  subject: string
  text: string
  /**
   * The same at each try of one mail, so that a server or reader that knows it already can drop a
   * second copy.
   */
  id: string
}

export interface Mailer {
  /** @throws MailError */
  send: (mail: Mail) => Promise<void>
  close: () => void
}

/**
 * `outage`: the server cannot be reached, or takes no mail of ours; any other mail would fail too.
 * `postponed`: this mail is not taken now. `refused`: this mail will never be taken.
 */
export type MailFailureKind = 'outage' | 'postponed' | 'refused'

/** Why a mail did not go, in words that hold neither address nor link: it is logged and stored. */
export class MailError extends Error {
  readonly kind: MailFailureKind

  constructor(reason: string, kind: MailFailureKind, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'MailError'
    this.kind = kind
  }
}

/**
 * Mails handed over at a time, each on a connection of its own; servers count how many one client
 * opens.
 */
export const mailsAtOnce = 5

/** A whole delivery, waiting for a connection included. A mail of ours is a few hundred bytes. */
const defaultDeadlineSeconds = 30

/** A server that takes longer to connect or to greet is as good as down. */
const connectSeconds = 10

/** Silence between two answers; below the deadline, so that the reason says what was waited for. */
const silenceSeconds = 20

interface MailerOptions {
  /**
   * Options of nodemailer's may follow as a query: `?requireTLS=false`. Without a URL mails go to
   * the log.
   */
  smtpUrl: string | undefined
  /** `Name <address>`, or an address. */
  from: string
  log: Log
  deadlineSeconds?: number
}

export function createMailer({ smtpUrl, ...options }: MailerOptions): Mailer {
  return smtpUrl ? createSmtpMailer({ smtpUrl, ...options }) : createLogMailer(options)
}

/** What development has instead of a mail server: the mail, link and all, is read from the log. */
function createLogMailer({ log }: Pick<MailerOptions, 'log'>): Mailer {
  log.warn({}, 'SMTP_URL is not set: mails are written to this log')
  return {
    async send({ to, subject, text }) {
      log.warn({ to, subject, text }, 'mail')
    },
    close() {},
  }
}

function createSmtpMailer({
  smtpUrl,
  from,
  deadlineSeconds = defaultDeadlineSeconds,
}: MailerOptions & { smtpUrl: string }): Mailer {
  const transport = createTransport(
    {
      url: smtpUrl,
      pool: true,
      maxConnections: mailsAtOnce,
      // The outbox alone tries again: two places that do would multiply, and a second copy might
      // follow a lost answer.
      maxRequeues: 0,
      connectionTimeout: connectSeconds * 1000,
      greetingTimeout: connectSeconds * 1000,
      dnsTimeout: connectSeconds * 1000,
      socketTimeout: silenceSeconds * 1000,
      // Our password never crosses the network readable because somebody removed STARTTLS from the
      // greeting.
      requireTLS: new URL(smtpUrl).password !== '',
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    // RFC 3834, section 5: nobody's holiday notice needs to answer this.
    { from, headers: { 'Auto-Submitted': 'auto-generated' } },
  )
  const domain = /@([\w.-]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'

  return {
    async send({ to, subject, text, id }) {
      if (!isOneAddress(to)) throw new MailError('recipient is not one plain address', 'refused')
      try {
        await transport.sendMail({
          // As an object it is one address, never read as a list.
          to: { name: '', address: to },
          subject,
          text,
          messageId: `<${id}@${domain}>`,
          signal: AbortSignal.timeout(deadlineSeconds * 1000),
        })
      } catch (error) {
        throw toMailError(error as NodemailerError)
      }
    },
    close: () => transport.close(),
  }
}

/**
 * Registration lets nothing else in; this is the wall behind it. A line break would start a header
 * or an SMTP command, a comma a second recipient.
 */
function isOneAddress(text: string): boolean {
  return /^[^\s\p{C}<>()[\]\\,;:"@]+@[^\s\p{C}<>()[\]\\,;:"@]+$/u.test(text)
}

/**
 * A server's own words often repeat the address, so only the codes are kept: ours, the reply's and
 * RFC 3463's.
 */
function toMailError(error: NodemailerError): MailError {
  const enhancedStatus = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(error.response ?? '')?.[1]
  const parts = [error.code ?? error.name, error.originalCode, error.timeoutType, error.command]
  const reason = [...parts, error.responseCode, enhancedStatus].filter(Boolean).join(' ')
  return new MailError(reason, kindOf(error), { cause: error })
}

/** RFC 5321, section 3.8: the server ends the session, whatever it was asked. */
const serviceNotAvailable = 421

/**
 * A reply to our greeting, login or sender address is about us: it would be the same for every
 * mail.
 */
function kindOf({ code, command, responseCode, permanent }: NodemailerError): MailFailureKind {
  const isAboutMail = (code === 'EENVELOPE' && command !== 'MAIL FROM') || code === 'EMESSAGE'
  if (!isAboutMail || responseCode === serviceNotAvailable) return 'outage'
  return permanent ? 'refused' : 'postponed'
}

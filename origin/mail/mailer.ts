import { createTransport, type NodemailerError } from 'nodemailer'
import type { Log } from '../../shared/lib/log.ts'

export interface Mail {
  to: string
  subject: string
  text: string
  /**
   * The same at each attempt, so that servers and readers can drop duplicates.
   */
  id: string
}

export interface Mailer {
  /** @throws MailError */
  send: (mail: Mail) => Promise<void>
  close: () => void
}

/**
 * `outage`: the server cannot be reached or rejects our login; any other mail would fail, too.
 * `postponed`: the server rejects this mail temporarily. `rejected`: it does so permanently.
 */
export type MailFailureKind = 'outage' | 'postponed' | 'rejected'

/** A failed delivery. The message is logged and stored, so it holds neither address nor link. */
export class MailError extends Error {
  readonly kind: MailFailureKind

  constructor(reason: string, kind: MailFailureKind, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'MailError'
    this.kind = kind
  }
}

/**
 * Concurrent deliveries, each on its own connection; servers limit connections per client.
 */
export const mailsAtOnce = 5

/** Limit of one delivery, the wait for a connection included. A mail has a few hundred bytes. */
const defaultDeadlineSeconds = 30

/** A server that takes longer to connect or to greet counts as down. */
const connectSeconds = 10

/**
 * Silence between two replies; below the deadline, so that the error names the reply that was
 * missing.
 */
const silenceSeconds = 20

interface MailerOptions {
  /**
   * Its query may hold options of nodemailer: `?requireTLS=false`. Without a URL mails go to the
   * log.
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

/** The mailer of development: it logs the whole mail with its link. */
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
      // Only the outbox retries: retries in both places would multiply, and a lost reply would
      // cause a duplicate.
      maxRequeues: 0,
      connectionTimeout: connectSeconds * 1000,
      greetingTimeout: connectSeconds * 1000,
      dnsTimeout: connectSeconds * 1000,
      socketTimeout: silenceSeconds * 1000,
      // TLS is required with a password: an attacker who removes STARTTLS from the greeting would
      // read it.
      requireTLS: new URL(smtpUrl).password !== '',
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    // RFC 3834, section 5: automatic mail asks for no automatic reply.
    { from, headers: { 'Auto-Submitted': 'auto-generated' } },
  )
  const domain = /@([\w.-]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'

  return {
    async send({ to, subject, text, id }) {
      if (!isOneAddress(to)) throw new MailError('recipient is not one plain address', 'rejected')
      try {
        await transport.sendMail({
          // nodemailer reads an object as one address, and a string as a list.
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
 * Registration admits nothing else; this check is defence in depth. A line break would start a
 * header or an SMTP command, a comma a second recipient.
 */
function isOneAddress(text: string): boolean {
  return /^[^\s\p{C}<>()[\]\\,;:"@]+@[^\s\p{C}<>()[\]\\,;:"@]+$/u.test(text)
}

/**
 * Replies often repeat the address, so only the codes are kept: nodemailer's, the reply's and RFC
 * 3463's.
 */
function toMailError(error: NodemailerError): MailError {
  const enhancedStatus = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(error.response ?? '')?.[1]
  const parts = [error.code ?? error.name, error.originalCode, error.timeoutType, error.command]
  const reason = [...parts, error.responseCode, enhancedStatus].filter(Boolean).join(' ')
  return new MailError(reason, kindOf(error), { cause: error })
}

/** RFC 5321, section 3.8: the server ends the session after any command. */
const serviceNotAvailable = 421

/**
 * A reply to greeting, login or sender address is an outage: it would be the same for every mail.
 */
function kindOf({ code, command, responseCode, permanent }: NodemailerError): MailFailureKind {
  const isAboutMail = (code === 'EENVELOPE' && command !== 'MAIL FROM') || code === 'EMESSAGE'
  if (!isAboutMail || responseCode === serviceNotAvailable) return 'outage'
  return permanent ? 'rejected' : 'postponed'
}

import * as z from 'zod'
import { DatabaseUrlError, parseDatabaseUrl, unescaped } from './database-url.ts'

/**
 * Schemas of variables that are URLs or mail addresses. Values that would be ignored or sent
 * elsewhere are rejected.
 */

export const url = (...schemes: string[]) =>
  z.url({
    protocol: new RegExp(`^(${schemes.join('|')})$`),
    error: `must be a URL of ${schemes.join(' or ')}`,
  })

/** Message of a rule about a parsed URL. */
const rule = (holds: (url: URL, text: string) => boolean) => (text: string) =>
  !URL.canParse(text) || holds(new URL(text), text)

const hasNoCredentials = rule(({ username, password }) => username === '' && password === '')
const hasNoQuery = rule((_, text) => !/[?#]/.test(text))
const hasNoPath = rule(({ pathname }) => pathname === '/' || pathname === '')

const withoutCredentials = url('http', 'https').refine(hasNoCredentials, {
  error: 'must have no user name or password, as neither is sent',
})

/** A page for browsers, to which paths or a query may be added. */
export const page = withoutCredentials

/** A page for browsers to which paths and a fragment are added. */
export const pageFolder = page.refine(hasNoQuery, {
  error: 'must have no query and no fragment: links add a path and a fragment of their own',
})

/** An issuer (RFC 8414, section 2): clients compare it as a text and add a path to it. */
export const issuer = page.refine(hasNoQuery, { error: 'must have no query and no fragment (RFC 8414)' })

const isPrivateTransport = rule(
  ({ protocol, hostname }) =>
    protocol === 'https:' || /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(hostname),
)

/** A service that gets passwords: over TLS, or within this machine. */
export const verifier = withoutCredentials.refine(isPrivateTransport, {
  error: 'must be https, as passwords are sent there; http within the machine alone',
})

/** A set of keys to trust: over TLS, or within this machine. */
export const keySet = withoutCredentials.refine(isPrivateTransport, {
  error: 'must be https, as its keys are trusted; http within the machine alone',
})

/** Base URL of a service; requests add the path. */
export const base = withoutCredentials
  .refine(hasNoPath, { error: 'must be a URL without a path' })
  .refine(hasNoQuery, { error: 'must be a URL without a query and a fragment' })

const authorityOf = (text: string) => /^[a-z]+:\/\/([^/?#]*)/.exec(text)?.[1] ?? ''

function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}

/**
 * A server with a user and a password. A reserved character in the password that is not escaped
 * ends the password, or the whole authority: the rest is then another host.
 */
export const server = (...schemes: string[]) =>
  url(...schemes)
    .refine((text) => authorityOf(text).split('@').length <= 2, {
      error: unescaped.at,
    })
    .refine(
      rule(
        ({ pathname, hash }, text) => authorityOf(text).includes('@') || !`${pathname}${hash}`.includes('@'),
      ),
      { error: unescaped.slash },
    )
    .refine(rule(isDecodable), { error: unescaped.percent })

/** PostgreSQL, on several hosts too. */
export const databaseServer = z.string().superRefine((text, context) => {
  try {
    parseDatabaseUrl(text)
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error
    context.addIssue(error.message)
  }
})

/** A mail server. Options of the client may follow as a query. */
export const mailServer = server('smtp', 'smtps')
  .refine(hasNoPath, { error: 'must be a URL without a path' })
  .refine(
    rule((_, text) => authorityOf(text).includes('@') || !text.includes('@')),
    { error: unescaped.slash },
  )

/**
 * Whether the options of a mail server leave TLS and the check of its certificate on. The client
 * takes `0` for false, and other texts for true.
 */
export function hasSafeTransport(text: string): boolean {
  const { protocol, searchParams } = new URL(text)
  const isEvery = (name: string, value: string) => searchParams.getAll(name).every((one) => one === value)
  return (
    isEvery('tls.rejectUnauthorized', 'true') &&
    isEvery('ignoreTLS', 'false') &&
    (protocol === 'smtp:' || isEvery('secure', 'true'))
  )
}

const addressPattern = /^[^\s<>()[\]\\,;:"@]+@[^\s<>()[\]\\,;:"@]+$/
const namedPattern = /^(?:"(?:[^"\\]|\\.)*"\s*|[^"<]*)<([^<>]*)>$/

/** The sender of mails (RFC 5322): `address` or `Name <address>`. */
export const sender = z
  .string()
  .max(320)
  .trim()
  .refine((text) => addressPattern.test(namedPattern.exec(text)?.[1] ?? text), {
    error: 'must have an address: no-reply@example.com or Example <no-reply@example.com>',
  })
  .refine((text) => !/^[^"]*[,;:@()[\]\\][^"]*<|[\r\n]/.test(text), {
    error: 'must have a name with , ; : @ or brackets in quotes: "Example, Inc." <no-reply@example.com>',
  })

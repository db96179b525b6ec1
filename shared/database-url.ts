/**
 * Connection URLs of PostgreSQL, as libpq reads them (PostgreSQL documentation, 32.1.1.2) and as
 * providers print them. Options without effect are rejected by name, so that no operator relies on
 * them.
 */

export interface DatabaseHost {
  /** A name, an address without brackets, or the folder of a Unix socket. */
  host: string
  port: number
}

export type TlsMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

export interface DatabaseTarget {
  /** One at least. With several, the one that is the primary. */
  hosts: DatabaseHost[]
  /** Empty where the URL has none: the driver's default. */
  user: string
  password: string
  database: string
  tls: {
    mode: TlsMode
    /** Direct TLS (PostgreSQL 17) begins without asking whether the server has TLS. */
    direct: boolean
    /** File of the certificates to trust; without it those that the runtime trusts. */
    rootFile?: string
    certificateFile?: string
    keyFile?: string
  }
  connectSeconds?: number
  applicationName?: string
  /** Command-line options of the session, such as Neon's `endpoint=...`. */
  options?: string
  /** `pgbouncer=true`, as Supabase and Prisma write it. */
  isTransactionPooler: boolean
}

/** Hint for a reserved character in a user name or a password. */
export const unescaped = {
  at: 'must have only one @: in a user name or a password it is %40',
  slash: 'must have / as %2F, ? as %3F and # as %23 in a user name or a password',
  percent: 'must have % as %25 in a user name or a password',
}

const form = /^postgres(?:ql)?:\/\/(?:([^/?#@]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const hostForm = /^(\[[\da-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i
const tlsModes: readonly string[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full']
const defaultPort = 5432

/** A reason that holds no part of the URL but the names of its options. */
export class DatabaseUrlError extends Error {}

function oneOf(name: string, value: string | undefined, allowed: readonly string[], preset: string): string {
  if (value === undefined) return preset
  if (allowed.includes(value)) return value
  throw new DatabaseUrlError(`must have ${name} as one of ${allowed.join(', ')}`)
}

/** @throws DatabaseUrlError with what is wrong, and without the value */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const [matched, credentials = '', authority = '', path = '', query = ''] = form.exec(text) ?? []
  if (/^[a-z]+:\/\/[^/?#]*@[^/?#]*@/.test(text)) throw new DatabaseUrlError(unescaped.at)
  if (/^[a-z]+:\/\/[^/?#@]*[/?#].*@/.test(text)) throw new DatabaseUrlError(unescaped.slash)
  if (matched === undefined) throw new DatabaseUrlError('must be a URL of postgres or postgresql')
  const [user = '', ...password] = credentials.split(':')
  const given = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query.replaceAll('+', '%2B'))) {
    if (given.has(name)) throw new DatabaseUrlError(`must have ${name} once`)
    given.set(name, value)
  }
  const take = (name: string) => {
    const value = given.get(name)
    given.delete(name)
    return value || undefined
  }

  const target: DatabaseTarget = {
    hosts: parseHosts(decode(authority) || take('host') || 'localhost', take('port')),
    user: decode(user) || take('user') || '',
    password: decode(password.join(':')) || take('password') || '',
    database: decode(path) || take('dbname') || '',
    tls: parseTls(take),
    isTransactionPooler: oneOf('pgbouncer', take('pgbouncer'), ['true', 'false'], 'false') === 'true',
  }
  // `target_session_attrs` is fixed: decisions come from the primary.
  oneOf('target_session_attrs', take('target_session_attrs'), ['any', 'read-write', 'primary'], 'any')
  // Encryption by Kerberos: never used here, so these ask for nothing.
  oneOf('gssencmode', take('gssencmode'), ['disable', 'prefer'], 'prefer')
  const connectSeconds = take('connect_timeout')
  if (connectSeconds !== undefined) {
    if (!/^[1-9]\d{0,2}$/.test(connectSeconds))
      throw new DatabaseUrlError('must have connect_timeout in whole seconds')
    target.connectSeconds = Number(connectSeconds)
  }
  const applicationName = take('application_name')
  if (applicationName) target.applicationName = applicationName
  const options = take('options')
  if (options) target.options = options
  const [unknown] = given.keys()
  if (unknown !== undefined)
    throw new DatabaseUrlError(`must not have the option ${unknown}: it has no effect`)
  return target
}

/** The same URL with what says that a pooler in transaction mode is in front. */
export function behindTransactionPooler(url: string): string {
  if (parseDatabaseUrl(url).isTransactionPooler) return url
  return `${url}${url.includes('?') ? '&' : '?'}pgbouncer=true`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new DatabaseUrlError(unescaped.percent)
  }
}

/** `one:5432,two:5433`; one port for all, or one each, may stand in the options. */
function parseHosts(list: string, ports = ''): DatabaseHost[] {
  const portList = ports === '' ? [] : ports.split(',')
  const hosts = list.split(',').map((item, index): DatabaseHost => {
    const [, host, port = portList[index] ?? portList[0] ?? `${defaultPort}`] = item.startsWith('/')
      ? [item, item]
      : (hostForm.exec(item) ?? [])
    if (host === undefined || !/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
      throw new DatabaseUrlError('must have hosts such as one:5432,two:5432')
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  })
  if (portList.length > 1 && portList.length !== hosts.length)
    throw new DatabaseUrlError('must have one port, or as many as hosts')
  return hosts
}

/**
 * As libpq has them, with two differences. `verify-ca` and `verify-full` without `sslrootcert`
 * trust the certificates that the runtime trusts. The driver lacks channel binding, which prevents
 * a man in the middle: `channel_binding=require` checks certificate and host name.
 *
 * @param take the value of an option, which is dealt with then
 */
function parseTls(take: (name: string) => string | undefined): DatabaseTarget['tls'] {
  const rootFile = take('sslrootcert')
  const certificateFile = take('sslcert')
  const keyFile = take('sslkey')
  const asked = oneOf('sslmode', take('sslmode'), ['allow', ...tlsModes], rootFile ? 'verify-ca' : 'prefer')
  const binding = oneOf(
    'channel_binding',
    take('channel_binding'),
    ['disable', 'prefer', 'require'],
    'prefer',
  )
  const direct =
    oneOf('sslnegotiation', take('sslnegotiation'), ['postgres', 'direct'], 'postgres') === 'direct'
  let mode = (asked === 'allow' ? 'prefer' : asked) as TlsMode
  // As libpq: with certificates to trust, `require` checks against them.
  if (rootFile && mode === 'require') mode = 'verify-ca'
  if (rootFile === 'system' || binding === 'require') {
    if (asked === 'disable')
      throw new DatabaseUrlError('must not have sslmode=disable with what asks for TLS')
    mode = 'verify-full'
  }
  if (direct && (mode === 'disable' || mode === 'prefer'))
    throw new DatabaseUrlError('must have sslmode=require or stricter with sslnegotiation=direct')
  if ((certificateFile === undefined) !== (keyFile === undefined))
    throw new DatabaseUrlError('must have sslcert and sslkey, or neither')
  return {
    mode,
    direct,
    ...(rootFile && rootFile !== 'system' && { rootFile }),
    ...(certificateFile && keyFile && { certificateFile, keyFile }),
  }
}

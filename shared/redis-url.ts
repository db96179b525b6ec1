/**
 * The forms of `REDIS_URL`: one server, the master that Sentinels name, or a Redis Cluster. Reasons
 * repeat no part of the URL, which holds a password.
 */

export interface RedisNode {
  host: string
  port: number
}

export interface RedisTarget {
  /** Kind of the nodes: one server, Sentinels, or nodes of a cluster. */
  mode: 'single' | 'sentinel' | 'cluster'
  nodes: RedisNode[]
  isTls: boolean
  username: string | undefined
  password: string | undefined
  /** Number of the database: 0 in a cluster. */
  database: number
  /** Only of Sentinel: the name of the master, and the login at the Sentinels themselves. */
  masterName: string | undefined
  sentinelUsername: string | undefined
  sentinelPassword: string | undefined
  /**
   * Only with TLS, as paths of PEM files: the authorities that are trusted in place of the public
   * ones, and the client's certificate with its key.
   */
  caFile: string | undefined
  certFile: string | undefined
  keyFile: string | undefined
}

/** Why a text is no URL of Redis, to follow the name of its variable. */
export class RedisUrlError extends Error {}

const schemes = ['redis', 'rediss', 'redis-sentinel', 'rediss-sentinel', 'redis-cluster', 'rediss-cluster']
const pattern = /^([a-z][a-z+-]*):\/\/(?:([^@/?#]*)@)?([^@/?#]*)(\/[^?#]*)?(\?[^#]*)?(#.*)?$/
const standardPort = 6379
const sentinelPort = 26_379
const sentinelOptions = ['sentinel_username', 'sentinel_password']
const tlsOptions = ['ca_file', 'cert_file', 'key_file']

/** @throws RedisUrlError */
export function parseRedisUrl(text: string): RedisTarget {
  const scheme = /^([a-z][a-z+-]*):\/\//.exec(text)?.[1]
  if (scheme === undefined || !schemes.includes(scheme))
    throw new RedisUrlError(
      `must begin with redis://, redis-sentinel:// or redis-cluster://, or with rediss in its place for TLS`,
    )
  const parts = pattern.exec(withOneScheme(text, scheme))
  const authority = /^[a-z+-]+:\/\/([^/?#]*)/.exec(text)?.[1] ?? ''
  if (parts === null) throw new RedisUrlError(reasonOfMalformed(authority))
  const [, , login, hosts = '', path = '', query = '', fragment] = parts
  if (login === undefined && `${path}${query}${fragment ?? ''}`.includes('@'))
    throw new RedisUrlError('must have / as %2F, ? as %3F and # as %23 in a user name or a password')
  if (fragment !== undefined) throw new RedisUrlError('must have # as %23')
  const isSentinel = scheme.endsWith('-sentinel')
  const nodes = hosts.split(',').map((host) => parseNode(host, isSentinel ? sentinelPort : standardPort))
  if (new Set(nodes.map(({ host, port }) => `${host}:${port}`)).size < nodes.length)
    throw new RedisUrlError('must name each node once')
  const mode = isSentinel
    ? 'sentinel'
    : scheme.endsWith('-cluster') || nodes.length > 1
      ? 'cluster'
      : 'single'
  return {
    mode,
    nodes,
    isTls: scheme.startsWith('rediss'),
    ...parseLogin(login),
    ...parsePath(mode, path),
    ...parseOptions(query, [
      ...(mode === 'sentinel' ? sentinelOptions : []),
      ...(scheme.startsWith('rediss') ? tlsOptions : []),
    ]),
  }
}

/** Each node may repeat the scheme, as lists of URLs do. */
function withOneScheme(text: string, scheme: string): string {
  return text.replace(/,([a-z][a-z+-]*):\/\//g, (_, other: string) => {
    if (other !== scheme) throw new RedisUrlError('must have one scheme for all nodes: it mixes two')
    return ','
  })
}

function reasonOfMalformed(authority: string): string {
  if (authority.split('@').length > 2) return 'must have only one @: in a user name or a password it is %40'
  return 'must be a URL such as redis://user:password@host:6379'
}

function parseNode(text: string, defaultPort: number): RedisNode {
  const parts = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text)
  if (parts === null)
    throw new RedisUrlError('must have nodes of the form host:port, IPv6 in brackets, separated by commas')
  const port = parts[3] === undefined ? defaultPort : Number(parts[3])
  if (port < 1 || port > 65_535) throw new RedisUrlError('must have ports from 1 to 65535')
  return { host: (parts[1] ?? parts[2]) as string, port }
}

function parseLogin(login: string | undefined) {
  if (login === undefined) return { username: undefined, password: undefined }
  const at = login.indexOf(':')
  const [username, password] = at === -1 ? [login, ''] : [login.slice(0, at), login.slice(at + 1)]
  if (password === '') throw new RedisUrlError('must have a password after its user name')
  return { username: decode(username) || undefined, password: decode(password) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new RedisUrlError('must have % as %25 in a user name or a password')
  }
}

function parsePath(mode: RedisTarget['mode'], path: string) {
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  const masterName = mode === 'sentinel' ? decode(segments.shift() ?? '') : undefined
  if (masterName === '')
    throw new RedisUrlError('must have the name of the master as its path: redis-sentinel://host:26379/name')
  const database = segments.shift() ?? '0'
  if (!/^\d{1,5}$/.test(database) || segments.length > 0)
    throw new RedisUrlError('must have nothing but the number of a database at the end of its path')
  if (mode === 'cluster' && Number(database) > 0)
    throw new RedisUrlError('must have no database: a Redis Cluster has only number 0')
  return { masterName, database: Number(database) }
}

function parseOptions(query: string, known: readonly string[]) {
  const options = new URLSearchParams(query)
  for (const name of options.keys())
    if (!known.includes(name) || options.getAll(name).length > 1)
      throw new RedisUrlError(
        known.length === 0
          ? 'must have no options: ca_file, cert_file and key_file are for rediss'
          : `must have no other options than ${known.join(', ')}, each once`,
      )
  const [certFile, keyFile] = [options.get('cert_file') ?? undefined, options.get('key_file') ?? undefined]
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new RedisUrlError('must have cert_file and key_file together')
  return {
    sentinelUsername: options.get('sentinel_username') ?? undefined,
    sentinelPassword: options.get('sentinel_password') ?? undefined,
    caFile: options.get('ca_file') ?? undefined,
    certFile,
    keyFile,
  }
}

import { Redis } from 'ioredis'
import { ConfigError, type VariableName } from '../config.ts'
import { parseRedisUrl, type RedisNode, type RedisTarget, RedisUrlError } from '../redis-url.ts'
import { nodeOptions } from './redis.ts'
import { redisTls } from './redis-tls.ts'

/** As a server says it in INFO, by the form of `REDIS_URL` that fits it. */
const modes = { standalone: 'single', sentinel: 'sentinel', cluster: 'cluster' } as const

/** How `REDIS_URL` names a server of that mode. */
const forms = {
  single: 'one server: redis://host:6379',
  sentinel: 'a Sentinel: redis-sentinel://host:26379,host:26379/name-of-the-master',
  cluster: 'a Redis Cluster: redis://host:6379,host:6379 or redis-cluster://host:6379',
}

/** For one question to one server. */
const timeoutMs = 1000

type RedisVariable = Extract<VariableName, `${string}REDIS_URL`>

/** @throws ConfigError where a file that the URL names cannot be used */
export function requireReadableFiles(url: string | undefined, variable: RedisVariable = 'REDIS_URL'): void {
  if (url === undefined) return
  try {
    redisTls(parseRedisUrl(url))
  } catch (error) {
    if (!(error instanceof RedisUrlError)) throw error
    throw new ConfigError([`${variable}: ${error.message}`])
  }
}

/**
 * Checks the reachable servers: their mode must match the URL, and they must not evict keys. A
 * server that is down or forbids the check does not prevent the start, as limits and revocations
 * work without it.
 *
 * @throws ConfigError
 */
export async function requireUsableRedis(
  url: string | undefined,
  variable: RedisVariable = 'REDIS_URL',
): Promise<void> {
  if (url === undefined) return
  requireReadableFiles(url, variable)
  const target = parseRedisUrl(url)
  const reasons = await Promise.all(
    target.nodes.map((node) => ask(loginOf(target), node, (redis) => reasonAgainst(target, redis))),
  )
  const reason = reasons.find((found) => found !== undefined)
  if (reason !== undefined) throw new ConfigError([`${variable}: ${reason}`])
}

/** @returns what `question` does, and undefined where it fails */
async function ask<T>(
  login: RedisTarget,
  node: RedisNode,
  question: (redis: Redis) => Promise<T>,
): Promise<T | undefined> {
  const redis = new Redis({
    ...nodeOptions(login, { commandTimeoutMs: timeoutMs, silenceMs: timeoutMs }),
    ...node,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
  })
  // The command that fails says the same.
  redis.on('error', () => {})
  try {
    await redis.connect()
    return await question(redis)
  } catch {
    // An outage, or a user with few rights: both show in `/ready` where they matter.
    return undefined
  } finally {
    redis.disconnect()
  }
}

async function reasonAgainst(target: RedisTarget, redis: Redis): Promise<string | undefined> {
  const mode = await modeOf(redis)
  if (mode !== undefined && mode !== target.mode) return `leads to ${forms[mode]}`
  if (target.mode !== 'sentinel') return reasonOfEviction(redis)
  const address = await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', target.masterName ?? '')
  if (!Array.isArray(address)) return 'names a master that its Sentinels do not know'
  const master = { host: String(address[0]), port: Number(address[1]) }
  return ask(target, master, reasonOfEviction)
}

/** At the nodes that the URL names: those of Sentinel have a login of their own. */
function loginOf(target: RedisTarget): RedisTarget {
  if (target.mode !== 'sentinel') return target
  return { ...target, username: target.sentinelUsername, password: target.sentinelPassword }
}

async function modeOf(redis: Redis) {
  const info = await redis.info('server')
  const said = /^(?:redis|server)_mode:(\w+)/m.exec(info)?.[1]
  return said !== undefined && said in modes ? modes[said as keyof typeof modes] : undefined
}

/**
 * An evicted counter lifts its limit, and an evicted key of a revocation makes Workers accept a
 * revoked token. A Redis that is full and evicts nothing rejects writes, which is noticed.
 */
async function reasonOfEviction(redis: Redis): Promise<string | undefined> {
  const settings = (await redis.config('GET', 'maxmemory*')) as string[]
  const settingOf = (name: string) => settings[settings.indexOf(name) + 1]
  const policy = settingOf('maxmemory-policy')
  if (settingOf('maxmemory') === '0' || policy === 'noeviction') return undefined
  return `leads to a Redis with maxmemory-policy ${policy}: limits and revocations need noeviction`
}

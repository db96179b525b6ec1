import { Redis } from 'ioredis'
import { ConfigError } from '../config.ts'
import { parseRedisUrl, type RedisNode, type RedisTarget } from '../redis-url.ts'
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

/**
 * Asks the first server that answers whether it is what `REDIS_URL` takes it for. One that cannot
 * be asked, or forbids to ask, is no reason against a start: limits and revocations do without it.
 *
 * @throws ConfigError
 */
export async function requireUsableRedis(url: string | undefined): Promise<void> {
  if (url === undefined) return
  const target = parseRedisUrl(url)
  redisTls(target)
  const reason = await Promise.any(target.nodes.map((node) => reasonAgainst(target, node))).catch(
    () => undefined,
  )
  if (reason !== undefined) throw new ConfigError([`REDIS_URL: ${reason}`])
}

/** @throws Error where the server cannot be asked */
async function reasonAgainst(target: RedisTarget, node: RedisNode): Promise<string | undefined> {
  const redis = new Redis({
    ...nodeOptions(loginOf(target), { commandTimeoutMs: timeoutMs, silenceMs: timeoutMs }),
    ...node,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
  })
  // The command that fails says the same.
  redis.on('error', () => {})
  try {
    await redis.connect()
    const mode = await modeOf(redis)
    if (mode !== undefined && mode !== target.mode) return `leads to ${forms[mode]}`
    if (target.mode === 'sentinel' && !(await knowsMaster(redis, target.masterName)))
      return 'names a master that its Sentinels do not know'
    return undefined
  } finally {
    redis.disconnect()
  }
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

async function knowsMaster(redis: Redis, name: string | undefined): Promise<boolean> {
  return (await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name ?? '')) !== null
}

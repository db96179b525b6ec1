import { Cluster, Redis } from 'ioredis'
import type { Log } from '../lib/log.ts'
import { parseRedisUrl, type RedisTarget } from '../redis-url.ts'
import { redisTls } from './redis-tls.ts'

/** Commands of one key are the same for both; those of several keys are not. */
export type RedisClient = Redis | Cluster

interface ConnectOptions {
  /** Timeout of a command: those to a paused Redis would wait for ever. */
  commandTimeoutMs?: number
  /**
   * How long Redis may owe a reply and send nothing before the connection is replaced: a network
   * can lose a connection without closing it. Undefined where the caller watches that itself.
   */
  silenceMs?: number
}

const connectMs = 1000

/** From the connection to the end of its handshake. */
const handshakeMs = 2000

/** Between sending the end and destroying a socket whose other side sends none. */
const disconnectMs = 100

/** How long one question to a Sentinel, or for the slots of a cluster, may take. */
const topologyMs = 1000

/**
 * Time between two reads of the slots of a cluster; one that moved is found by its MOVED before.
 */
const slotsIntervalMs = 5000

/** Between an end that nobody wanted and the next attempt to connect. */
const connectAgainMs = 100

const retryStrategy = (attempt: number) => Math.min(attempt * 100, 1000)

/**
 * A client that fails at once instead of queueing: with the defaults, calls hang for more than a
 * minute after Redis is lost.
 *
 * @param url a valid `REDIS_URL`, of any of its forms
 */
export function connectRedis(url: string, log: Log, options?: ConnectOptions): RedisClient {
  return parseRedisUrl(url).mode === 'cluster'
    ? connectRedisCluster(url, log, options)
    : connectRedisServer(url, log, options)
}

/** The same for one server, or the master that Sentinels name. */
export function connectRedisServer(url: string, log: Log, options: ConnectOptions = {}): Redis {
  const target = parseRedisUrl(url)
  const redis = new Redis({
    ...nodeOptions(target, options),
    ...(target.mode === 'sentinel' ? sentinelOptions(target) : target.nodes[0]),
    db: target.database,
    enableOfflineQueue: false,
    // After a failover the name leads elsewhere, and the connection still to what has become a
    // replica.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
    retryStrategy,
  })
  endSilentHandshakes(redis)
  stayConnected(redis)
  logState(redis, log)
  return redis
}

/** The same for a Redis Cluster. */
export function connectRedisCluster(url: string, log: Log, options: ConnectOptions = {}): Cluster {
  const target = parseRedisUrl(url)
  const cluster = new Cluster(target.nodes, {
    redisOptions: nodeOptions(target, options),
    enableOfflineQueue: false,
    clusterRetryStrategy: retryStrategy,
    slotsRefreshTimeout: topologyMs,
    slotsRefreshInterval: slotsIntervalMs,
    // A command that waits for a failover would be counted twice: here when it fails, and there.
    maxRedirections: 3,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // With TLS a certificate is checked against the name, which a lookup would replace.
    dnsLookup: (address, callback) => callback(null, address),
  })
  cluster.on('+node', endSilentHandshakes)
  logState(cluster, log)
  return cluster
}

/** A line for each change: all attempts to connect again fail alike, and the first says it all. */
function logState(client: RedisClient, log: Log): void {
  let state: 'unknown' | 'up' | 'down' = 'unknown'
  client.on('ready', () => {
    state = 'up'
    log.info({}, 'redis connected')
  })
  client.on('error', (error: Error) => {
    if (state !== 'down') log.warn({ err: error }, state === 'up' ? 'redis lost' : 'redis not reached')
    state = 'down'
  })
}

/** Options of every connection. */
export function nodeOptions(target: RedisTarget, { commandTimeoutMs, silenceMs }: ConnectOptions = {}) {
  const { username, password } = target
  const tls = redisTls(target)
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
    connectTimeout: connectMs,
    disconnectTimeout: disconnectMs,
    maxRetriesPerRequest: 0,
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
    ...(silenceMs !== undefined && { socketTimeout: silenceMs }),
  }
}

function sentinelOptions(target: RedisTarget) {
  const { nodes, masterName } = target
  const tls = redisTls(target)
  return {
    sentinels: nodes,
    ...(masterName !== undefined && { name: masterName }),
    ...(target.sentinelUsername !== undefined && { sentinelUsername: target.sentinelUsername }),
    ...(target.sentinelPassword !== undefined && { sentinelPassword: target.sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    sentinelCommandTimeout: topologyMs,
    sentinelRetryStrategy: retryStrategy,
    // An old master that a network cut off would go on counting for those who are on its side.
    failoverDetector: true,
  }
}

/** Connecting again is the only way on from a connection whose handshake gets no reply. */
function endSilentHandshakes(redis: Redis): void {
  let deadline: ReturnType<typeof setTimeout> | undefined
  redis.on('connect', () => {
    clearTimeout(deadline)
    deadline = setTimeout(() => redis.disconnect(true), handshakeMs)
  })
  redis.on('ready', () => clearTimeout(deadline))
  redis.on('close', () => clearTimeout(deadline))
}

/**
 * A Sentinel may tell of a switch while the client asks for the new master. ioredis 6.0.0 then
 * takes its own disconnection for one that was wanted, and never connects again.
 */
function stayConnected(redis: Redis): void {
  let isWanted = true
  const disconnect = redis.disconnect.bind(redis)
  redis.disconnect = (reconnects = false) => {
    isWanted &&= reconnects
    disconnect(reconnects)
  }
  redis.on('end', () => {
    // A failure is reported as an event, too.
    if (isWanted) setTimeout(() => isWanted && redis.connect().catch(() => {}), connectAgainMs)
  })
}

import { hashSlot } from '../../gateway/adapters/node/hash-slot.ts'
import type { RunningServer } from '../../tools/servers/postgres/postgres.ts'
import { startRedis } from '../../tools/servers/redis/redis.ts'
import { type ClusterServer, startRedisCluster } from '../../tools/servers/redis/redis-cluster.ts'
import { startRedisSentinel } from '../../tools/servers/redis/redis-sentinel.ts'
import { type Runtime, runtimes } from './runtimes.ts'

interface RedisServers extends RunningServer {
  /** Ends the master of the revocations. */
  failOver?: () => Promise<void>
}

/** A Redis, the runtimes whose gateways use it, and the files of the suite that ask them. */
export interface Group {
  startRedis: () => Promise<RedisServers>
  files: readonly string[]
  columns: readonly { name: string; runtime: Runtime }[]
}

/** Of `{gatehouse:revocations}revocations`. */
const slotOfStream = hashSlot('gatehouse:revocations')
const slotsOfMaster = Math.ceil(16_384 / 3)

async function startCluster(): Promise<RedisServers> {
  const { url, nodes, stop } = await startRedisCluster()
  const master = nodes[Math.floor(slotOfStream / slotsOfMaster)] as ClusterServer
  return { url, stop, failOver: () => master.kill() }
}

async function startSentinel(): Promise<RedisServers> {
  const { url, master, stop } = await startRedisSentinel()
  return { url, stop, failOver: () => master.kill() }
}

/** Workers take one server only; the other columns of Node differ in nothing that Redis sees. */
const withEngines = runtimes.filter(({ name }) => ['node-26', 'bun', 'deno'].includes(name))
const engineFiles = ['limits', 'revocation']

const columnsOf = (engine: string) =>
  withEngines.map((runtime) => ({ name: `${runtime.name}-${engine}`, runtime }))

export const groups: readonly Group[] = [
  {
    startRedis,
    files: ['*'],
    columns: runtimes.map((runtime) => ({ name: runtime.name, runtime })),
  },
  { startRedis: startCluster, files: engineFiles, columns: columnsOf('cluster') },
  { startRedis: startSentinel, files: engineFiles, columns: columnsOf('sentinel') },
]

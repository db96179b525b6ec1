import type { Cluster, Redis } from 'ioredis'
import type { HealthCheck } from '../../../shared/http/health.ts'
import type { Log } from '../../../shared/lib/log.ts'
import type { ConsumeRequest, ConsumeResult, Now, RateLimitStore } from '../../ports.ts'
import { createFallbackStore, probeRequest } from '../../rate-limit/fallback-store.ts'
import { scriptKeys } from '../../rate-limit/rate-limit-script.ts'
import { hashSlot } from './hash-slot.ts'
import { createShard, defineClusterScript, defineNodeScript } from './redis-cluster-shard.ts'

interface ClusterStoreOptions {
  cluster: Cluster
  keyPrefix: string
  /** This gateway's own store. */
  local: RateLimitStore
  /** Gateways that share the traffic. */
  replicas: number
  /** Wraps the store of a node to time its calls, for metrics. */
  timeCalls?: (store: RateLimitStore) => RateLimitStore
  now: Now
  log: Log
}

type Shard = ReturnType<typeof createFallbackStore>

/** Placeholder owner of unserved slots. */
const unassigned = 'nobody'

/** The least time between two reads of the slots beyond those that the client makes by itself. */
const refreshMs = 250

/**
 * Most keys that are tried to find one in a slot of a node. With 100 nodes every 100th key fits, on
 * average.
 */
const maxProbes = 10_000

const addressOf = ({ options }: Redis) => `${options.host}:${options.port}`

/**
 * The shared store in a Redis Cluster, with the local one as fallback for each node apart: while a
 * node is away its keys are counted locally, and all others in Redis.
 */
export function createClusterStore(options: ClusterStoreOptions) {
  const { cluster, keyPrefix, local, replicas, timeCalls = (store) => store, now, log } = options
  const nodes = new Map<string, Redis>()
  const shards = new Map<string, Shard>()
  let refreshedAt = Number.NEGATIVE_INFINITY
  defineClusterScript(cluster)
  for (const node of cluster.nodes()) addNode(node)
  cluster.on('+node', addNode)
  cluster.on('-node', (node: Redis) => {
    if (nodes.get(addressOf(node)) === node) nodes.delete(addressOf(node))
  })
  cluster.on('refresh', forgetFormerOwners)

  function addNode(node: Redis): void {
    defineNodeScript(node)
    nodes.set(addressOf(node), node)
    // Otherwise the first call would wait for the connection. One that fails is reported by the
    // cluster, which tries again.
    if (node.status === 'wait') node.connect().catch(() => {})
  }

  function refreshSlots(): void {
    if (cluster.status !== 'ready' || now() - refreshedAt < refreshMs) return
    refreshedAt = now()
    cluster.refreshSlotsCache()
  }

  const ownerOf = (slot: number): string => cluster.slots[slot]?.[0] ?? unassigned

  function owners(): Set<string> {
    if (cluster.slots.length === 0) return new Set([unassigned])
    return new Set(Array.from({ length: 16_384 }, (_, slot) => ownerOf(slot)))
  }

  function forgetFormerOwners(): void {
    const current = owners()
    for (const owner of shards.keys()) if (!current.has(owner)) shards.delete(owner)
  }

  function shardOf(owner: string): Shard {
    const known = shards.get(owner)
    if (known) return known
    const shared = createShard({
      cluster,
      keyPrefix,
      node: () => nodes.get(owner),
      refreshSlots,
      local,
      replicas,
    })
    const shard = createFallbackStore({
      shared: timeCalls(shared),
      local,
      replicas,
      probe: () => [probeOf(owner)],
      now,
      log: withNode(log, owner),
    })
    shards.set(owner, shard)
    return shard
  }

  /** A key of a slot that this node owns. */
  function probeOf(owner: string): ConsumeRequest {
    for (let i = 0; i < maxProbes; i++) {
      const request = { ...probeRequest, key: `probe:${i}` }
      if (ownerOfRequest(request) === owner) return request
    }
    throw new Error('redis has no slot there')
  }

  const ownerOfRequest = (request: ConsumeRequest): string =>
    ownerOf(hashSlot(scriptKeys(keyPrefix, [request])[0] as string))

  return {
    async consume(requests: readonly ConsumeRequest[]): Promise<ConsumeResult[]> {
      const indexes = new Map<string, number[]>()
      for (const [index, request] of requests.entries()) {
        const owner = ownerOfRequest(request)
        const known = indexes.get(owner)
        if (known) known.push(index)
        else indexes.set(owner, [index])
      }
      const results: ConsumeResult[] = []
      await Promise.all(
        Array.from(indexes, async ([owner, own]) => {
          const counted = await shardOf(owner).consume(own.map((index) => requests[index] as ConsumeRequest))
          for (const [i, index] of own.entries()) results[index] = counted[i] as ConsumeResult
        }),
      )
      return results
    },

    /** Whether some limits are counted here alone at this moment. */
    isLocal: () => Array.from(shards.values()).some((shard) => shard.isLocal()),

    /** Health of the worst node. */
    async health(): Promise<HealthCheck> {
      const all = await Promise.all(Array.from(owners(), (owner) => shardOf(owner).health()))
      const failed = all.filter(({ status }) => status !== 'pass')
      const worst = failed[0] ?? all[0]
      if (failed.length === 0 || failed.length === all.length) return worst as HealthCheck
      return {
        ...worst,
        status: 'warn',
        detail: `${worst?.detail}, at ${failed.length} of ${all.length} nodes`,
      }
    },
  } satisfies RateLimitStore & { isLocal: () => boolean; health: () => Promise<HealthCheck> }
}

function withNode(log: Log, node: string): Log {
  return {
    debug: (fields, message) => log.debug({ ...fields, node }, message),
    info: (fields, message) => log.info({ ...fields, node }, message),
    warn: (fields, message) => log.warn({ ...fields, node }, message),
    error: (fields, message) => log.error({ ...fields, node }, message),
  }
}

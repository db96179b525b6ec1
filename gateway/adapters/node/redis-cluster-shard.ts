import type { Cluster, Redis } from 'ioredis'
import { createReplyTimeout } from '../../../shared/lib/silence.ts'
import type { ConsumeRequest, ConsumeResult, RateLimitStore } from '../../ports.ts'
import { consumeLocally } from '../../rate-limit/fallback-store.ts'
import {
  rateLimitScript,
  readResults,
  scriptArgument,
  scriptKeys,
} from '../../rate-limit/rate-limit-script.ts'

type Scripted<Client> = Client & {
  consumeOnNode(...args: (string | number)[]): Promise<string | number[]>
  consumeTokens(keyCount: number, ...args: (string | number)[]): Promise<string>
}

interface ShardOptions {
  cluster: Cluster
  keyPrefix: string
  /** The connection to the node, where there is one. */
  node: () => Redis | undefined
  /** Reads the slots again, as they are not where they were. */
  refreshSlots: () => void
  /** This gateway's own store, for keys that no node counts at the moment. */
  local: RateLimitStore
  replicas: number
}

/** As for one server: below the second between two trials of an outage. */
const silenceMs = 900

/**
 * Keys of several slots in one call: a script may use them where they are not declared (in KEYS all
 * have to be of one slot). ARGV: what `rateLimitScript` wants, then the keys. Each is read before
 * any is written: where this node does not have them all, as slots move, it counts none and answers
 * with the places of those that it does not have. Redis 8 rejects a key of a slot on its way after
 * one of another slot, as they come when they are counted: so the last one is read before all.
 */
const consumeOnNodeScript = `
local function count(KEYS, ARGV)${rateLimitScript}
end
local keys, elsewhere = {}, {}
redis.pcall('GET', ARGV[#ARGV])
for i = 2, #ARGV do
  local value = redis.pcall('GET', ARGV[i])
  if type(value) == 'table' and value.err then elsewhere[#elsewhere + 1] = i - 2 end
  keys[i - 1] = ARGV[i]
end
if #elsewhere > 0 then return elsewhere end
return count(keys, ARGV)`

/** For a client of the whole cluster. */
export function defineClusterScript(cluster: Cluster): void {
  cluster.defineCommand('consumeTokens', { lua: rateLimitScript })
}

/** For a connection to one node. */
export function defineNodeScript(node: Redis): void {
  node.defineCommand('consumeOnNode', { lua: consumeOnNodeScript, numberOfKeys: 0 })
}

/** The keys of one node: one script call, and another one for each key whose slot is migrating. */
export function createShard(options: ShardOptions): RateLimitStore {
  const { cluster, keyPrefix, node, refreshSlots, local, replicas } = options
  const silence = createReplyTimeout(silenceMs, () => node()?.disconnect(true))

  async function consumeOnNode(redis: Redis, requests: readonly ConsumeRequest[]) {
    silence.sent()
    try {
      const argument = scriptArgument(requests)
      return await (redis as Scripted<Redis>).consumeOnNode(argument, ...scriptKeys(keyPrefix, requests))
    } finally {
      silence.answered()
    }
  }

  /** By the client of the cluster, which follows MOVED and ASK. Never rejects. */
  async function consumeSingly(request: ConsumeRequest): Promise<ConsumeResult | Error> {
    try {
      const [key = ''] = scriptKeys(keyPrefix, [request])
      const reply = await (cluster as Scripted<Cluster>).consumeTokens(1, key, scriptArgument([request]))
      return readResults([request], reply)[0] as ConsumeResult
    } catch (error) {
      return error as Error
    }
  }

  /** @throws Error where none could be counted: one that was must not be counted here as well */
  async function consumeAfterMove(
    requests: readonly ConsumeRequest[],
    moved: ReadonlySet<number>,
    redis: Redis,
  ) {
    const here = requests.filter((_, index) => !moved.has(index))
    const again = here.length > 0 ? await consumeOnNode(redis, here) : ''
    const counted: (ConsumeResult | Error)[] =
      typeof again === 'string' ? readResults(here, again) : await Promise.all(here.map(consumeSingly))
    const outcomes = await Promise.all(
      requests.map((request, index) => (moved.has(index) ? consumeSingly(request) : counted.shift())),
    )
    if (outcomes.every((outcome) => outcome instanceof Error)) throw outcomes[0]
    return Promise.all(
      outcomes.map(async (outcome, index) => {
        if (!(outcome instanceof Error)) return outcome as ConsumeResult
        const own = await consumeLocally(local, [requests[index] as ConsumeRequest], replicas)
        return own[0] as ConsumeResult
      }),
    )
  }

  return {
    async consume(requests) {
      const redis = node()
      if (redis?.status !== 'ready') {
        refreshSlots()
        throw new Error(`redis is ${redis?.status ?? 'not connected'}`)
      }
      const reply = await consumeOnNode(redis, requests)
      if (typeof reply === 'string') return readResults(requests, reply)
      refreshSlots()
      return consumeAfterMove(requests, new Set(reply), redis)
    },
  }
}

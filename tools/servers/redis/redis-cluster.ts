import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Certificates, clientTls } from '../process/certificates.ts'
import { findFreePort } from '../process/free-port.ts'
import type { Program } from '../programs/find-program.ts'
import { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from './redis.ts'

export interface ClusterServer extends PrivateRedis {
  /** A connection to this node alone. */
  readonly admin: Redis
  readonly id: string
}

/** A Redis Cluster of one test's own: masters first, then as many replicas in the same order. */
export interface RedisCluster {
  /** All nodes, in the form of `REDIS_URL`. */
  url: string
  nodes: ClusterServer[]
  /** The nodes that are masters at this moment, as the node sees them that is asked. */
  masters(asked?: ClusterServer): Promise<string[]>
  /** Resolves when each node says that the cluster is up and its link to its master works. */
  untilHealthy(): Promise<void>
  /** Moves a slot with its keys, one by one, as `redis-cli --cluster reshard` does. */
  moveSlot(slot: number, from: ClusterServer, to: ClusterServer): Promise<void>
  stop(): Promise<void>
}

const slotCount = 16_384

/** Far below the 15 s of production, so that a failover takes a second or two. */
const nodeTimeoutMs = 1000

/** How long the nodes may take to agree. */
const settleMs = 20_000

interface Options {
  masters?: number
  replicas?: boolean
  program?: Program
  /** TLS to clients and between nodes. */
  tls?: Certificates
}

/** @throws Error where the nodes do not agree in 20 s */
export async function startRedisCluster({
  masters = 3,
  replicas = true,
  program,
  tls,
}: Options = {}): Promise<RedisCluster> {
  const count = replicas ? 2 * masters : masters
  const started = await Promise.allSettled(Array.from({ length: count }, () => startNode(program, tls)))
  const nodes = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))

  async function stop() {
    for (const { admin } of nodes) admin.disconnect()
    await Promise.all(nodes.map((node) => node.stop()))
  }

  try {
    if (nodes.length < count)
      throw (started.find((one) => one.status === 'rejected') as PromiseRejectedResult).reason
    await join(nodes, masters)
  } catch (error) {
    await stop()
    throw error
  }

  return {
    url: `${tls ? 'rediss' : 'redis'}://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    async masters(asked = nodes[0] as ClusterServer) {
      const lines = String(await asked.admin.cluster('NODES'))
        .trim()
        .split('\n')
      return lines
        .filter((line) => / (myself,)?master - /.test(line))
        .map((line) => line.split(' ')[0] as string)
    },
    untilHealthy: () => untilHealthy(nodes),
    async moveSlot(slot, from, to) {
      await to.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id)
      await from.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id)
      for (;;) {
        const keys = (await from.admin.cluster('GETKEYSINSLOT', slot, 10)) as string[]
        if (keys.length === 0) break
        await from.admin.migrate('127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys)
      }
      for (const node of [to, from]) await node.admin.cluster('SETSLOT', slot, 'NODE', to.id)
    },
    stop,
  }
}

async function startNode(
  program: Program | undefined,
  tls: Certificates | undefined,
): Promise<ClusterServer> {
  const settings = [
    ['--databases', '1'],
    ['--cluster-enabled', 'yes'],
    ['--cluster-node-timeout', `${nodeTimeoutMs}`],
    // A replica with old data may still take over: a test has no other.
    ['--cluster-replica-validity-factor', '0'],
    ['--repl-diskless-sync-delay', '0'],
    ...(tls ? [['--tls-cluster', 'yes']] : []),
  ].flat()
  const server = await startWithBusPort({ settings, ...(program && { program }), ...(tls && { tls }) })
  const admin = new Redis(server.port, '127.0.0.1', {
    maxRetriesPerRequest: null,
    ...(tls && { tls: clientTls(tls) }),
  })
  // Tests end nodes, so errors of an administrator's connection are expected.
  admin.on('error', () => {})
  const id = String(await admin.cluster('MYID'))
  // A getter of the server's stays one.
  return Object.create(server, { admin: { value: admin }, id: { value: id } }) as ClusterServer
}

/** A port that was free may be taken by the time that the server listens on it. */
async function startWithBusPort(options: PrivateRedisOptions): Promise<PrivateRedis> {
  for (let triesLeft = 3; ; triesLeft--) {
    const busPort = ['--cluster-port', `${await findFreePort()}`]
    try {
      return await startPrivateRedis({ ...options, settings: [...(options.settings ?? []), ...busPort] })
    } catch (error) {
      if (triesLeft === 0 || !String(error).includes('already in use')) throw error
    }
  }
}

async function join(nodes: readonly ClusterServer[], masterCount: number): Promise<void> {
  const [first] = nodes as [ClusterServer]
  const busPort = async ({ admin }: ClusterServer) =>
    Number(((await admin.config('GET', 'cluster-port')) as [string, string])[1])
  for (const [index, node] of nodes.entries()) await setConfigEpoch(node, index + 1)
  for (const node of nodes.slice(1))
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.port, await busPort(node))
  const share = Math.ceil(slotCount / masterCount)
  for (const [index, { admin }] of nodes.slice(0, masterCount).entries())
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', index * share, Math.min((index + 1) * share, slotCount) - 1)
  for (const [index, node] of nodes.slice(masterCount).entries()) {
    const master = nodes[index] as ClusterServer
    await until(async () => String(await node.admin.cluster('NODES')).includes(master.id))
    await node.admin.cluster('REPLICATE', master.id)
  }
  for (const { admin } of nodes)
    await until(async () => {
      const info = String(await admin.cluster('INFO'))
      const known = Number(/cluster_known_nodes:(\d+)/.exec(info)?.[1])
      return info.includes('cluster_state:ok') && known === nodes.length
    })
  for (const { admin } of nodes.slice(masterCount))
    await until(async () => String(await admin.info('replication')).includes('master_link_status:up'))
}

/** Sent again by the client after a lost connection, it finds what it has set itself. */
async function setConfigEpoch({ admin }: ClusterServer, epoch: number): Promise<void> {
  await admin.cluster('SET-CONFIG-EPOCH', epoch).catch((error: Error) => {
    if (!error.message.includes('already non-zero')) throw error
  })
}

async function untilHealthy(nodes: readonly ClusterServer[]): Promise<void> {
  for (const { admin } of nodes)
    await until(async () => {
      const info = String(await admin.cluster('INFO'))
      const replication = String(await admin.info('replication'))
      return info.includes('cluster_state:ok') && !replication.includes('master_link_status:down')
    })
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + settleMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`the nodes of the cluster did not agree in ${settleMs} ms`)
    await sleep(50)
  }
}

import type { ClusterServer } from '../../../tools/servers/redis/redis-cluster.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'

const settleMs = 20_000
const pollMs = 50

/**
 * Has each node of a cluster announce the port of its proxy, to its clients and to other nodes. A
 * node that was started again has to be told again.
 */
export function announceProxies(nodes: readonly ClusterServer[], proxies: readonly TcpProxy[]) {
  const ports = new Set(proxies.map(({ port }) => port))

  async function announce(index: number): Promise<void> {
    await nodes[index]?.admin.config('SET', 'cluster-announce-port', `${proxies[index]?.port}`)
  }

  /** Ports that a node names for the masters and their replicas. */
  async function namedPorts({ admin }: ClusterServer): Promise<number[]> {
    const slots = await admin.cluster('SLOTS')
    return slots.flatMap(([, , ...servers]) => servers.map(([, port]) => port))
  }

  return {
    announce,
    async announceAll(): Promise<void> {
      await Promise.all(nodes.map((_, index) => announce(index)))
      const deadline = Date.now() + settleMs
      for (const node of nodes)
        while (!(await namedPorts(node)).every((port) => ports.has(port))) {
          if (Date.now() > deadline)
            throw new Error('the nodes of the cluster did not announce their proxies')
          await new Promise((resolve) => setTimeout(resolve, pollMs))
        }
    },
  }
}

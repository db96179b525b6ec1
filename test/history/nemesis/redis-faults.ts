import type { Environment } from '../environment/environment.ts'
import type { Random } from '../random.ts'
import type { FaultKind, PossibleFault } from './fault.ts'
import { linkFault } from './link-faults.ts'

/** Faults of the Redis Cluster. */
export function redisFaults({ gateways, redis, redisLinks, redisProxies }: Environment): FaultKind[] {
  const all = gateways.map((_, index) => index)
  const common = { part: 'redis' as const, cutsFeed: [], cutsStream: all }

  /** A node that is master or replica by now; the roles change with each failover. */
  const anyNode = (random: Random) => random.between(0, redis.nodes.length - 1)
  const node = (number: number) => redis.nodes[number] as (typeof redis.nodes)[number]

  async function restart(number: number): Promise<void> {
    await node(number).restart()
    await redisProxies.announce(number)
    await redis.untilHealthy()
  }

  return [
    (random): PossibleFault => {
      const number = anyNode(random)
      return {
        name: `Redis node ${number + 1} is killed`,
        ...common,
        begin: () => node(number).kill(),
        end: () => restart(number),
      }
    },
    (random): PossibleFault => {
      const number = anyNode(random)
      return {
        name: `Redis node ${number + 1} comes back empty at once`,
        ...common,
        begin: () => restart(number),
        end: () => {},
      }
    },
    (random): PossibleFault => {
      const number = anyNode(random)
      return {
        name: `Redis node ${number + 1} is paused`,
        ...common,
        begin: () => node(number).pause(),
        async end() {
          node(number).resume()
          await redis.untilHealthy()
        },
      }
    },
    (random): PossibleFault => {
      const number = anyNode(random)
      return {
        name: `Redis node ${number + 1} is made master`,
        ...common,
        // A master refuses, and there is nothing to do then.
        begin: () =>
          node(number)
            .admin.cluster('FAILOVER')
            .catch(() => undefined),
        end: () => redis.untilHealthy(),
      }
    },
    (random): PossibleFault => {
      const isAll = random.between(0, 3) === 0
      const proxies = isAll ? redisLinks : [random.pick(redisLinks)]
      const { kind, begin, end } = linkFault(random, proxies)
      return {
        name: `${isAll ? 'all of Redis' : 'a Redis node'} to its clients: ${kind}`,
        ...common,
        begin,
        async end() {
          end()
          await redis.untilHealthy()
        },
      }
    },
  ]
}

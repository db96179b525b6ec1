import type { Environment } from '../environment/environment.ts'
import type { FaultKind, PossibleFault } from './fault.ts'
import { linkFault } from './link-faults.ts'

/**
 * Faults of PostgreSQL. Each ends with a synchronous standby: without one, a failover may lose
 * acknowledged writes, as the documentation says.
 */
export function postgresFaults({ gateways, postgres, replicationLinks }: Environment): FaultKind[] {
  const all = gateways.map((_, index) => index)
  const outage = { part: 'postgres' as const, cutsFeed: all, cutsStream: [] }
  // Commits wait, and reads go on.
  const stall = { part: 'postgres' as const, cutsFeed: [], cutsStream: [] }

  return [
    (): PossibleFault => ({
      name: 'PostgreSQL fails over',
      ...outage,
      begin: postgres.failOver,
      end: postgres.rejoin,
    }),
    (): PossibleFault => ({
      name: 'the primary fails silently, then PostgreSQL fails over',
      ...outage,
      begin: () => postgres.primary().pause(),
      async end() {
        await postgres.failOver()
        await postgres.rejoin()
      },
    }),
    (): PossibleFault => ({
      name: 'the primary is killed and started again',
      ...outage,
      begin: () => postgres.primary().kill(),
      async end() {
        await postgres.primary().restart()
        await postgres.untilSynchronous()
      },
    }),
    (): PossibleFault => ({
      name: 'the primary is paused',
      ...outage,
      begin: () => postgres.primary().pause(),
      async end() {
        await postgres.primary().resume()
        await postgres.untilSynchronous()
      },
    }),
    (random): PossibleFault => {
      const isKilled = random.between(0, 1) === 1
      return {
        name: `the standby is ${isKilled ? 'killed' : 'paused'}`,
        ...stall,
        begin: () => (isKilled ? postgres.standby().kill() : postgres.standby().pause()),
        async end() {
          await (isKilled ? postgres.standby().restart() : postgres.standby().resume())
          await postgres.untilSynchronous()
        },
      }
    },
    (random): PossibleFault => {
      const { kind, begin, end } = linkFault(random, replicationLinks)
      return {
        name: `the standby to the primary: ${kind}`,
        ...stall,
        begin,
        async end() {
          end()
          await postgres.untilSynchronous()
        },
      }
    },
  ]
}

import type { Environment } from '../environment/environment.ts'
import type { FaultKind, PossibleFault } from './fault.ts'
import { linkFault } from './link-faults.ts'

type Service = Pick<
  Environment['origins'][number],
  'name' | 'kill' | 'pause' | 'resume' | 'terminate' | 'start'
>

const processFaults = {
  killed: (service: Service) => ({ begin: service.kill, end: service.start }),
  paused: (service: Service) => ({ begin: service.pause, end: service.resume }),
  terminated: (service: Service) => ({ begin: service.terminate, end: service.start }),
}

/** Faults of gateways and of what is connected to them. */
export function gatewayFaults({ gateways }: Environment): FaultKind[] {
  const numbers = gateways.map((_, index) => index)

  return [
    (random): PossibleFault => {
      const number = random.pick(numbers)
      const gateway = gateways[number] as Environment['gateways'][number]
      const kind = random.weighted({ killed: 1, paused: 1, terminated: 1 })
      const cuts = { cutsFeed: [number], cutsStream: [number] }
      return { name: `${gateway.name} ${kind}`, part: 'gateways', ...cuts, ...processFaults[kind](gateway) }
    },
    (random): PossibleFault => {
      const number = random.pick(numbers)
      const gateway = gateways[number] as Environment['gateways'][number]
      const peer = random.weighted({ clients: 1, origin: 2, orders: 1 })
      const links = { clients: gateway.clientLink, origin: gateway.originLink, orders: gateway.ordersLink }
      const { kind, ...steps } = linkFault(random, [links[peer]])
      const cutsFeed = peer === 'origin' ? [number] : []
      return {
        name: `${gateway.name} to ${peer}: ${kind}`,
        part: 'gateways',
        cutsFeed,
        cutsStream: [],
        ...steps,
      }
    },
  ]
}

/** Faults of origins and of their connections to the database. */
export function originFaults({ gateways, origins }: Environment): FaultKind[] {
  const all = gateways.map((_, index) => index)
  return [
    (random): PossibleFault => {
      const origin = random.pick(origins)
      const kind = random.weighted({ killed: 2, paused: 1, terminated: 1 })
      // Revocations of an origin that is gone are published by the other one, from the database.
      const cuts = { cutsFeed: all, cutsStream: [] }
      return { name: `${origin.name} ${kind}`, part: 'origins', ...cuts, ...processFaults[kind](origin) }
    },
    (random): PossibleFault => {
      const origin = random.pick(origins)
      const { kind, ...steps } = linkFault(random, origin.databaseLinks)
      return {
        name: `${origin.name} to PostgreSQL: ${kind}`,
        part: 'origins',
        cutsFeed: all,
        cutsStream: [],
        ...steps,
      }
    },
  ]
}

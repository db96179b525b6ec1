import type { SupervisedService } from './supervised-service.ts'

const probeMs = 300

type Origin = Pick<SupervisedService, 'name' | 'port' | 'isReady'>

/** A balancer's choice of an origin for each new connection: those that are ready, in turn. */
export function startOriginChoice(origins: readonly Origin[]) {
  const ready = new Set<Origin>(origins)
  let turn = 0

  async function probe(origin: Origin): Promise<void> {
    if (await origin.isReady()) ready.add(origin)
    else ready.delete(origin)
  }

  const prober = setInterval(() => void Promise.all(origins.map(probe)), probeMs)
  return {
    next(): Origin {
      const candidates = ready.size > 0 ? [...ready] : origins
      return candidates[turn++ % candidates.length] as Origin
    },
    async stop(): Promise<void> {
      clearInterval(prober)
    },
  }
}

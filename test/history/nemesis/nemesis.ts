import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../environment/environment.ts'
import type { Random } from '../random.ts'
import type { Recorder } from '../recorder.ts'
import type { FaultKind, PossibleFault } from './fault.ts'
import { postgresFaults } from './postgres-faults.ts'
import { redisFaults } from './redis-faults.ts'
import { gatewayFaults, originFaults } from './service-faults.ts'

interface NemesisOptions {
  environment: Environment
  random: Random
  recorder: Recorder
  say: (line: string) => void
}

const pauseMs = { low: 200, high: 2500 }
const lastsMs = { low: 300, high: 7000 }
/** Faults of different parts at the same time. */
const maxTogether = 2

export type Nemesis = ReturnType<typeof startNemesis>

/** Makes faults at random from the seed until it is stopped, and ends each of them. */
export function startNemesis({ environment, random, recorder, say }: NemesisOptions) {
  const parts: FaultKind[][] = [
    gatewayFaults(environment),
    originFaults(environment),
    postgresFaults(environment),
    redisFaults(environment),
  ]
  const stopping = new AbortController()
  const active = new Map<PossibleFault['part'], Promise<void>>()
  let hasFailed = false

  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {})

  async function run({ name, part, cutsFeed, cutsStream, begin, end }: PossibleFault, lasts: number) {
    const beganAt = performance.now()
    try {
      await begin()
      await pause(lasts)
      await end()
    } catch (cause) {
      hasFailed = true
      throw new Error(`the nemesis could not go on: ${name}`, { cause })
    }
    const endedAt = performance.now()
    recorder.record({ event: 'fault', name, part, beganAt, endedAt, cutsFeed, cutsStream })
    say(`${(endedAt / 1000).toFixed(1).padStart(7)} s  ${name}, ${((endedAt - beganAt) / 1000).toFixed(1)} s`)
    active.delete(part)
  }

  async function makeFaults(): Promise<void> {
    while (!stopping.signal.aborted && !hasFailed) {
      await pause(random.between(pauseMs.low, pauseMs.high))
      // Both are drawn in any case, so that the sequence follows from the seed alone.
      const fault = random.pick(random.pick(parts))(random)
      const lasts = random.between(lastsMs.low, lastsMs.high)
      if (stopping.signal.aborted || active.has(fault.part)) continue
      const running = run(fault, lasts)
      running.catch(() => {})
      active.set(fault.part, running)
      while (active.size >= maxTogether) await Promise.race(active.values())
    }
  }

  const makingFaults = makeFaults()
  makingFaults.catch(() => {})
  return {
    /** Whether a server did not come back: `stop` rejects with the reason. */
    hasFailed: () => hasFailed,
    /** Resolves when all faults have ended. @throws Error where a server does not work again */
    async stop(): Promise<void> {
      stopping.abort()
      await makingFaults
      await Promise.all(active.values())
    },
  }
}

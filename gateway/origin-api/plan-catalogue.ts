import type { PlanCatalogue } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import type { KnownNames } from '../policy/policy-names.ts'
import type { Now, WaitUntil } from '../ports.ts'

interface PlansOptions {
  /** Fetches the catalogue. */
  fetchPlans: () => Promise<PlanCatalogue>
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
  /** Age from which the catalogue is read again. */
  freshSeconds?: number
  /** Shortest pause between two reads, which bounds the reads while the origin is down. */
  cooldownSeconds?: number
}

/**
 * The origin's plans, cached. No request waits for them: they only name the plan to book, so a
 * response may use old plans, or none.
 */
export function createPlans(options: PlansOptions) {
  const { fetchPlans, now, log, freshSeconds = 60, cooldownSeconds = 10 } = options
  let plans: PlanCatalogue['plans'] | undefined
  let names: KnownNames | undefined
  let readAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY

  const ageSeconds = (moment: number) => (now() - moment) / 1000

  async function read(): Promise<void> {
    triedAt = now()
    try {
      const { plans: read, features, permissions } = await fetchPlans()
      plans = read.sort((a, b) => a.rank - b.rank)
      names = features && permissions && { features, permissions }
      readAt = now()
    } catch (error) {
      log.warn({ err: error }, 'plans not read')
    }
  }

  const reading = createSingleFlight(read, options.waitUntil)

  /** Never rejects; one read at a time. */
  async function refresh(): Promise<void> {
    if (!reading.inFlight && (ageSeconds(readAt) < freshSeconds || ageSeconds(triedAt) < cooldownSeconds))
      return
    await reading.run()
  }

  return {
    /** Reads the catalogue where it is missing or old. */
    refresh,

    /** Reads the catalogue whatever its age. Never rejects. */
    reread: reading.run,

    /**
     * Features and permissions of the last read; undefined where the origin has not sent them.
     */
    names: () => names,

    /**
     * The cheapest plan with all of these features, from the cached catalogue; an old catalogue is
     * read again in the background.
     *
     * @returns null where no plan has them, undefined before the first read
     */
    cheapestWith(features: readonly string[]): string | null | undefined {
      void refresh()
      if (!plans) return undefined
      const cheapest = plans.find((plan) => features.every((feature) => plan.features.includes(feature)))
      return cheapest?.name ?? null
    },
  }
}

export type Plans = ReturnType<typeof createPlans>

import { beforeEach, describe, expect, test } from 'vitest'
import { planCatalogue } from '../../shared/contract.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createClock } from '../../test/support/clock.ts'
import { createPlans } from './plan-catalogue.ts'

const catalogue = {
  plans: [
    { name: 'pro', rank: 2, features: ['webhooks', 'reports'] },
    { name: 'free', rank: 0, features: [] },
    { name: 'starter', rank: 1, features: ['reports'] },
  ],
}

let clock: ReturnType<typeof createClock>
let reads: number
/** The origin's response; an Error where the origin is unreachable. */
let answer: unknown

beforeEach(() => {
  clock = createClock()
  reads = 0
  answer = catalogue
})

function openPlans() {
  return createPlans({
    now: clock.now,
    log: createCapturedLog('gateway').log,
    async fetchPlans() {
      reads++
      await Promise.resolve()
      if (answer instanceof Error) throw answer
      return planCatalogue.parse(answer)
    },
  })
}

/** Lets a read behind an answer end. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5))

describe('the cheapest plan', () => {
  test('is the lowest in rank that has all of the features, in whatever order they came', async () => {
    const plans = openPlans()
    await plans.refresh()
    expect(plans.cheapestWith(['reports'])).toBe('starter')
    expect(plans.cheapestWith(['reports', 'webhooks'])).toBe('pro')
  })

  test('is null where no plan has them all', async () => {
    const plans = openPlans()
    await plans.refresh()
    expect(plans.cheapestWith(['reports', 'teleport'])).toBeNull()
  })

  test('is undefined before any catalogue came, at once, and known after it', async () => {
    const plans = openPlans()
    expect(plans.cheapestWith(['reports'])).toBeUndefined()
    await settled()
    expect(plans.cheapestWith(['reports'])).toBe('starter')
  })
})

describe('reading', () => {
  test('a stale catalogue is returned at once, and refreshed once in the background', async () => {
    const plans = openPlans()
    await plans.refresh()
    clock.advance(59)
    plans.cheapestWith(['reports'])
    await settled()
    expect(reads).toBe(1)
    clock.advance(1)
    answer = { plans: [{ name: 'basic', rank: 1, features: ['reports'] }] }
    for (let i = 0; i < 100; i++) expect(plans.cheapestWith(['reports'])).toBe('starter')
    await settled()
    expect(reads).toBe(2)
    expect(plans.cheapestWith(['reports'])).toBe('basic')
  })

  test('the last catalogue is kept while the origin is down or responds with nonsense, and read again every 10 s', async () => {
    const plans = openPlans()
    await plans.refresh()
    for (const trouble of [new Error('down'), { plans: 'none' }]) {
      answer = trouble
      const before = reads
      clock.advance(3600)
      for (let i = 0; i < 100; i++) {
        expect(plans.cheapestWith(['reports'])).toBe('starter')
        await Promise.resolve()
      }
      await settled()
      plans.cheapestWith(['reports'])
      expect(reads).toBe(before + 1)
    }
    clock.advance(10)
    plans.cheapestWith(['reports'])
    expect(reads).toBe(4)
  })
})

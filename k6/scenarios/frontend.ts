import { rate, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, shareSize, steady } from '../client/traffic.ts'

/**
 * The frontends of a product, each user behind an address of their own, at a rate that does not
 * wait for answers.
 */

export { frontend } from '../client/traffic.ts'

/**
 * One kind of request alone is asked for to measure its processor time, which does not depend on
 * how long it waits for a processor.
 */
const { dropped_iterations: _, ...correctness } = frontendThresholds
const promises = __ENV.ONLY
  ? { ...correctness, checks: ['rate>=0'] }
  : {
      ...frontendThresholds,
      'http_req_duration{name:feed}': ['avg<50', 'p(95)<100'],
      // Users are not asked twice before all have been here.
      visitors: [`count>=${Math.floor(Math.min(shareSize, rate * seconds) * 0.95)}`],
    }

export const options = { scenarios: { frontends: steady }, thresholds: promises }

export const handleSummary = (data: Summary) => summarize(data)

import { Gauge } from 'k6/metrics'
import { finishLoad, seconds, startLoad } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, steady } from '../client/traffic.ts'

/**
 * The judge of a load that a generator makes beside it: k6 is some of the users, with whole
 * journeys, and its thresholds decide about what they meet and about what the generator met.
 */

const loadRate = Number(__ENV.LOAD_RATE)

const metrics = {
  load_rate: new Gauge('load_rate'),
  load_mean_ms: new Gauge('load_mean_ms'),
  load_p95_ms: new Gauge('load_p95_ms'),
  load_failed: new Gauge('load_failed'),
  load_other_users: new Gauge('load_other_users'),
  database_queries_per_request: new Gauge('database_queries_per_request'),
}

export { frontend } from '../client/traffic.ts'

const { server_errors: _, ...correctness } = frontendThresholds
const inTime = ['avg<50', 'p(95)<100']

export const options = {
  setupTimeout: '10m',
  scenarios: {
    frontends: steady,
    verdict: {
      executor: 'per-vu-iterations',
      exec: 'verdict',
      vus: 1,
      iterations: 1,
      startTime: `${seconds}s`,
      maxDuration: '60s',
    },
  },
  thresholds: {
    ...correctness,
    'http_req_duration{name:feed}': inTime,
    'http_req_duration{name:me}': inTime,
    load_rate: [`value>=${loadRate * 0.99}`],
    load_mean_ms: ['value<50'],
    load_p95_ms: ['value<100'],
    load_failed: ['value<0.01'],
    load_other_users: ['value==0'],
    database_queries_per_request: ['value<=0.1'],
  },
  summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'max'],
}

/** Resolves when all users have come, so that what k6 sees is what counts for the generator. */
export function setup() {
  startLoad()
}

export function verdict() {
  for (const [name, value] of Object.entries(finishLoad())) metrics[name as keyof typeof metrics].add(value)
}

export const handleSummary = (data: Summary) => summarize(data)

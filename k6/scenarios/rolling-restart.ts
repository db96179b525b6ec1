import { check, sleep } from 'k6'
import { Gauge } from 'k6/metrics'
import { countCutRequests, gateways, restartGateway, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, steady } from '../client/traffic.ts'

/** Replaces gateways one after the other, as a deployment does. No request fails. */

/** By the balancer: k6 sends a GET again by itself where its connection goes away. */
const cut = new Gauge('requests_cut')

export { frontend } from '../client/traffic.ts'

export const options = {
  scenarios: {
    frontends: steady,
    director: {
      executor: 'per-vu-iterations',
      exec: 'director',
      vus: 1,
      iterations: 1,
      maxDuration: `${seconds + 60}s`,
    },
  },
  thresholds: {
    ...frontendThresholds,
    'checks{scenario:director}': ['rate==1'],
    frontend_failed: ['rate==0'],
    requests_cut: ['value==0'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

export function director() {
  const startedAt = Date.now()
  sleep(seconds / 6)
  for (let number = 1; number <= gateways; number++) {
    restartGateway(number)
    sleep(seconds / 10)
  }
  cut.add(countCutRequests())
  check(null, { 'all were replaced while frontends asked': () => Date.now() - startedAt < seconds * 1000 })
}

import { sleep } from 'k6'
import { Gauge, Trend } from 'k6/metrics'
import { readParts, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, steady } from '../client/traffic.ts'

/** A day's traffic over a long run: response times stay constant, and no process grows. */

const lookSeconds = 10
/** By then every user has been here, and the caches hold what they will. */
const warmShare = 0.4
/** Allowance for garbage between two samples. */
const maxGrowth = 1.25

const memory = new Trend('gateway_resident_mb')
/**
 * The last fifth's median over the first look's after warming up; of the process that grew most.
 */
const growth = new Gauge('memory_growth')

export { frontend } from '../client/traffic.ts'

export const options = {
  scenarios: {
    frontends: steady,
    watcher: {
      executor: 'per-vu-iterations',
      exec: 'watch',
      vus: 1,
      iterations: 1,
      maxDuration: `${seconds + 30}s`,
    },
  },
  thresholds: {
    ...frontendThresholds,
    'http_req_duration{name:feed}': ['avg<50', 'p(95)<100'],
    memory_growth: ['value>0', `value<${maxGrowth}`],
    gateway_resident_mb: ['max>0'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

const median = (values: number[]): number =>
  values.sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN

export function watch() {
  const seen = new Map<string, number[]>()
  for (let elapsed = 0; elapsed + lookSeconds < seconds; elapsed += lookSeconds) {
    sleep(lookSeconds)
    for (const { name, resident_bytes: bytes } of readParts()) {
      // PostgreSQL fills its shared buffers, to the size that it was given.
      if (name === 'postgres') continue
      if (name.startsWith('gateway')) memory.add(bytes / 1024 ** 2)
      seen.set(name, [...(seen.get(name) ?? []), bytes])
    }
  }
  const growths = [...seen.values()].map((looks) => {
    const warm = Math.floor(looks.length * warmShare)
    const fifth = Math.max(1, Math.floor(looks.length / 5))
    return median(looks.slice(-fifth)) / median(looks.slice(warm, warm + fifth))
  })
  growth.add(Math.max(...growths))
}

import exec from 'k6/execution'
import { rate, seconds } from '../client/stand.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontend as ask, frontendVus } from '../client/traffic.ts'

/**
 * The rate rises step by step, to `--rate`. Where answers no longer keep up is the knee of this machine, which carries the load's
 * generator too; past it answers are late, and still answers.
 */

const steps = 10
const stepSeconds = seconds / steps
const numbers = Array.from({ length: steps }, (_, index) => index + 1)
const offered = (step: number) => Math.round((rate * step) / steps)

/** The bar of E7, at a share of the offered rate that a queue does not swallow. */
const mostP95Ms = 100
const leastShare = 0.95

export const options = {
  scenarios: {
    frontends: {
      executor: 'ramping-arrival-rate',
      exec: 'frontend',
      startRate: offered(1),
      timeUnit: '1s',
      preAllocatedVUs: frontendVus,
      stages: numbers.flatMap((step) => [
        { target: offered(step), duration: '0s' },
        { target: offered(step), duration: `${stepSeconds}s` },
      ]),
    },
  },
  thresholds: {
    checks: ['rate==1'],
    frontend_failed: ['rate<0.01'],
    unauthorized: ['count==0'],
    server_errors: ['count==0'],
    'http_req_duration{step:1}': [`p(95)<${mostP95Ms}`],
    // Always so: a metric of one step is in the summary where a threshold names it.
    ...Object.fromEntries(numbers.slice(1).map((step) => [`http_req_duration{step:${step}}`, ['p(95)>=0']])),
    ...Object.fromEntries(numbers.map((step) => [`http_reqs{step:${step}}`, ['count>=0']])),
  },
}

export function frontend() {
  const elapsed = exec.instance.currentTestRunDuration / 1000
  exec.vu.metrics.tags.step = String(Math.min(steps, Math.floor(elapsed / stepSeconds) + 1))
  ask()
}

export function handleSummary(data: Summary) {
  const rows = numbers.map((step) => {
    const answered = (data.metrics[`http_reqs{step:${step}}`]?.values.count ?? 0) / stepSeconds
    const p95 = data.metrics[`http_req_duration{step:${step}}`]?.values['p(95)'] ?? Number.NaN
    return {
      step,
      answered,
      p95,
      keepsUp: p95 < mostP95Ms && answered > offered(step) * leastShare,
    }
  })
  const broken = rows.findIndex(({ keepsUp }) => !keepsUp)
  const knee = rows.slice(0, broken < 0 ? rows.length : broken).at(-1)
  return summarize(data, [
    '',
    ...rows.map(
      ({ step, answered, p95, keepsUp }) =>
        `${offered(step)} requests/s offered: ${Math.round(answered)} asked, p95 ${Math.round(p95)} ms${keepsUp ? '' : ', too late'}`,
    ),
    knee
      ? `The knee: ${offered(knee.step)} requests/s, or ${offered(knee.step) * 10} users who ask once in ten seconds.`
      : 'No step kept up.',
  ])
}

import exec from 'k6/execution'
import { rate, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontend as ask, frontendVus } from '../client/traffic.ts'

/**
 * The rate rises step by step, to `--rate`. Where answers no longer keep up is the knee of this
 * machine, which carries the load's generator too; past it answers are late, and still answers.
 */

const steps = 10
const stepSeconds = seconds / steps
const numbers = Array.from({ length: steps }, (_, index) => index + 1)
const offered = (step: number) => Math.round((rate * step) / steps)

/** The bar of E7. */
const maxP95Ms = 100
/** Of the offered rate; the rest waits in a queue that grows. */
const minShare = 0.95

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
    'http_req_duration{step:1}': [`p(95)<${maxP95Ms}`],
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
    return { step, answered, p95, keepsUp: answered > offered(step) * minShare, isInTime: p95 < maxP95Ms }
  })
  return summarize(data, [
    '',
    ...rows.map(
      ({ step, answered, p95 }) =>
        `${offered(step)} requests/s offered: ${Math.round(answered)} answered, p95 ${Math.round(p95)} ms`,
    ),
    `The last step with p95 below ${maxP95Ms} ms: ${lastOf(rows, ({ isInTime }) => isInTime)}.`,
    `The knee, the last step that was answered as fast as it asked: ${lastOf(rows, ({ keepsUp }) => keepsUp)}.`,
  ])
}

/** Before the first that is not so. */
function lastOf<Row extends { step: number }>(rows: readonly Row[], isSo: (row: Row) => boolean): string {
  const broken = rows.findIndex((row) => !isSo(row))
  const last = rows.at(broken < 0 ? -1 : broken - 1)
  if (broken === 0 || !last) return 'none'
  return `${offered(last.step)} requests/s, or ${offered(last.step) * 10} users who ask once in ten seconds`
}

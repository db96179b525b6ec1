import { figure, type Report } from '../../bench/common/report.ts'
import { median } from '../../bench/common/statistics.ts'
import type { Summary } from '../client/summary.ts'
import type { Figures } from '../generator/constant-rate.ts'
import type { LatencySummary } from '../generator/latency-histogram.ts'
import { servedRate } from './served-rate.ts'
import type { PartSample, Watched } from './watch-parts.ts'

/** The generator against a service that answers at once: its own part of latencies and cores. */
export interface Calibration {
  /** Microseconds of processor time a request. */
  us: number
  figures: Figures
}

export interface Measured {
  /** Requests a second, those of k6 included. */
  rate: number
  /** Of these, k6's. */
  judged: number
  seconds: number
  rampSeconds: number
  users: number
  /** Of the generator. */
  figures: Figures
  eachSecond: readonly Figures[]
  /** While it counted, k6's included. */
  requests: number
  statements: number
  redisReads: number
  watched: Watched
  /** k6's own summary, and its exit code. */
  summary: Pick<Summary, 'metrics' | 'root_group'>
  code: number
}

interface Reported extends Measured {
  calibration: Calibration
  facts: Record<string, string | number>
}

/** Rows of a table over time. */
const mostRows = 10

export function reportRun(report: Report, reported: Reported): void {
  const { rate, judged, seconds, rampSeconds, users, code, calibration, facts } = reported
  const { eachSecond, watched, summary, ...raw } = reported
  report.raw({ part: 'run', at: new Date().toISOString(), ...raw, parts: watched.all, k6: summary.metrics })
  for (const [second, figures] of eachSecond.entries())
    report.raw({ part: 'second', rate, second, ...figures })
  for (const sample of watched.samples) report.raw({ part: 'sample', rate, ...sample })

  report.heading(`${users} users at ${rate} requests/s for ${seconds} s: ${code === 0 ? 'kept' : 'BROKEN'}`)
  if (Object.keys(facts).length > 0) report.table([['fact', 'value'], ...Object.entries(facts)])
  report.text(
    `\nUsers come over ${rampSeconds} s, which do not count. Then the generator sends ${rate - judged} requests/s and k6 ${judged}, both when they are due, ` +
      'however late the answers before are. A latency of the generator runs from the time at which its request was due.\n',
  )
  reportPromises(report, reported)
  reportLatencies(report, reported, calibration)
  reportParts(report, reported)
  reportTime(report, reported)
}

function reportPromises(report: Report, { summary }: Reported): void {
  const promises = Object.entries(summary.metrics).flatMap(([name, { thresholds = {}, values }]) =>
    Object.entries(thresholds).map(([promise, { ok }]) => [
      name,
      promise,
      ok ? 'kept' : 'BROKEN',
      Object.entries(values)
        .map(([value, found]) => `${value} ${figure(found)}`)
        .join(', '),
    ]),
  )
  const checks = summary.root_group.checks.map(({ name, passes, fails }) => [
    name,
    'each time',
    fails === 0 ? 'kept' : 'BROKEN',
    `${passes} times, ${fails} not`,
  ])
  report.table([['k6 judges', 'promise', '', 'found'], ...promises.toSorted(), ...checks])
}

const latencies = ({ mean, p50, p90, p95, p99, p999, max }: LatencySummary) =>
  [mean, p50, p90, p95, p99, p999, max].map(figure)

function reportLatencies(report: Report, { figures, seconds }: Reported, calibration: Calibration): void {
  report.text('\nThe generator, milliseconds:\n')
  const row = (title: string, { due, latency, failed, otherUser }: Figures, overSeconds: number) => [
    title,
    due,
    figure(due / overSeconds),
    failed,
    otherUser,
    ...latencies(latency),
  ]
  const alone = calibration.figures
  report.table([
    ['', 'due', 'a second', 'failed', 'another user', 'mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
    row('through the gateway', figures, seconds),
    ['service alone', alone.due, '', '', '', ...latencies(alone.latency)],
  ])
  const statuses = Object.entries(figures.statuses).map(([status, count]) => `${status}: ${count}`)
  report.text(
    `\nStatuses: ${statuses.join(', ')}. The generator itself costs ${figure(calibration.us)} µs of processor time a request, measured against the service alone.`,
  )
}

function reportParts(report: Report, reported: Reported): void {
  const { watched, statements, redisReads, requests } = reported
  const served = servedRate(reported)
  report.text(
    `\nProcessor time and memory of each part, over the time that counts, at ${figure(served)} served requests/s:\n`,
  )
  report.table([
    ['', 'busy cores', 'µs a request', 'MB at the start', 'MB at the end', 'MB at most'],
    ...watched.all.map(({ name, cores }) => {
      const megabytes = watched.samples.map(({ parts }) => megabytesOf(parts, name))
      const memory = [megabytes[0] ?? 0, megabytes.at(-1) ?? 0, Math.max(...megabytes)]
      return [
        name,
        figure(cores),
        figure((cores * 1e6) / served),
        ...memory.map((value) => (name === 'machine' ? '-' : figure(value))),
      ]
    }),
  ])
  report.text(
    `\nFor one request: ${figure(statements / requests)} database queries, ${figure(redisReads / requests)} round trips to Redis.`,
  )
}

function reportTime(report: Report, { watched, eachSecond, seconds }: Reported): void {
  const { samples } = watched
  const rows = Math.min(mostRows, samples.length)
  const names = watched.all.map(({ name }) => name).filter((name) => name !== 'machine')
  report.text('\nOver time: the median of its seconds, the worst second, and resident memory in MB:\n')
  report.table([
    ['until', 'p50, ms', 'p95, ms', 'p99, ms', 'worst p95, ms', 'failed', ...names],
    ...Array.from({ length: rows }, (_, row) => {
      const [from, to] = [(row * seconds) / rows, ((row + 1) * seconds) / rows]
      const within = eachSecond.slice(Math.floor(from), Math.floor(to))
      const sample = samples.findLast((one) => one.seconds <= to + 1) ?? samples[0]
      const answered = within.filter(({ latency }) => latency.count > 0)
      const of = (name: 'p50' | 'p95' | 'p99') => answered.map(({ latency }) => latency[name])
      return [
        `${Math.round(to)} s`,
        figure(median(of('p50'))),
        figure(median(of('p95'))),
        figure(median(of('p99'))),
        figure(Math.max(...of('p95'))),
        within.reduce((sum, { failed }) => sum + failed, 0),
        ...names.map((name) => figure(megabytesOf(sample?.parts ?? [], name))),
      ]
    }),
  ])
}

const megabytesOf = (parts: readonly PartSample[], name: string) =>
  (parts.find((part) => part.name === name)?.bytes ?? 0) / 1e6

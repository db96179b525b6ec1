import { figure } from '../../common/report.ts'
import { median } from '../../common/statistics.ts'
import type { Round } from '../load/measure.ts'
import { type BenchPart, hot } from './part.ts'
import { inTurns, manyConnections, withWarmedUp } from './warmed-up.ts'

const connectionCounts = [1, manyConnections]

const sizes = {
  short: { rounds: 3, seconds: 2 },
  full: { rounds: 5, seconds: 4 },
}

/**
 * How long a request takes: with a contender to oneself, and with many clients who each ask again
 * as soon as they are answered.
 */
export const latencyBench: BenchPart = async (options) => {
  const { contenders, isFull, report } = options
  const { rounds, seconds } = isFull ? sizes.full : sizes.short
  const measured = new Map<string, Round[]>()

  await withWarmedUp(options, async (allWarmedUp) => {
    for (let round = 1; round <= rounds; round++) {
      for (const connections of connectionCounts) {
        for (const { name, hot } of inTurns(allWarmedUp, round)) {
          const row = await hot(seconds, connections)
          report.raw({ part: 'latency', contender: name, connections, round, ...row })
          const key = `${name} ${connections}`
          measured.set(key, [...(measured.get(key) ?? []), row])
        }
      }
    }
  })

  report.heading('Latency')
  report.text(
    `Milliseconds, medians of the percentiles of ${rounds} interleaved rounds of ${seconds} s, ${hot.users} users; requests a second as the load got ` +
      'them, everything on this machine at once. Many clients ask again as soon as they are answered, so theirs is the latency of a full queue.\n',
  )
  report.table([
    ['', ...connectionCounts.flatMap((count) => [`p50, ${count}`, `p99, ${count}`, `requests/s, ${count}`])],
    ...Object.entries(contenders).map(([name, { title }]) => [
      title,
      ...connectionCounts.flatMap((count) => {
        const rows = measured.get(`${name} ${count}`) ?? []
        return [
          figure(median(rows.map((row) => row.p50Us)) / 1000),
          figure(median(rows.map((row) => row.p99Us)) / 1000),
          Math.round(median(rows.map((row) => row.perSecond))),
        ]
      }),
    ]),
  ])
}

import { figure } from '../common/report.ts'
import { median } from '../common/statistics.ts'
import { measure, type Round } from './measure.ts'
import { type BenchPart, hot, unreachedAddressQuota } from './part.ts'
import { withContenders } from './start-contender.ts'

const connectionCounts = [1, 64]

const sizes = {
  short: { rounds: 3, seconds: 2 },
  full: { rounds: 9, seconds: 5 },
}

/** How long a request takes: with a contender to oneself, and with 64 clients who each ask again as soon as they are answered. */
export const latencyBench: BenchPart = async ({ stand, contenders, tokens, isFull, report }) => {
  const { rounds, seconds } = isFull ? sizes.full : sizes.short
  const measured = new Map<string, Round[]>()

  await withContenders(contenders, stand, unreachedAddressQuota, async (running) => {
    for (let round = 0; round <= rounds; round++) {
      for (const connections of connectionCounts) {
        for (const [name, one] of running) {
          const row = await measure({ stand, running: one, tokens, workload: hot, connections, seconds })
          // The first round is for just-in-time compilers.
          if (round === 0) continue
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
      'them, everything on this machine at once. The 64 ask again as soon as they are answered, so their latency is that of a full queue.\n',
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

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figure, spread } from '../../common/report.ts'
import { median } from '../../common/statistics.ts'
import type { Round } from '../load/measure.ts'
import { type BenchPart, hot } from './part.ts'
import { drawBars } from './picture.ts'
import { freshOneIn, inTurns, manyConnections, type WarmedUp, withWarmedUp } from './warmed-up.ts'

const sizes = {
  short: { rounds: 5, seconds: 2 },
  full: { rounds: 7, seconds: 4 },
}

const kinds = ['hot', 'rare'] as const
type Kind = (typeof kinds)[number]

interface Measured extends Record<Kind, Round[]> {
  warmedUp: WarmedUp
  commands: number
}

/** Processor time a request, and what Redis has to do for it. */
export const costBench: BenchPart = async (options) => {
  const { users, isFull, report, folder } = options
  const { rounds, seconds } = isFull ? sizes.full : sizes.short

  const measured = await withWarmedUp(options, async (allWarmedUp) => {
    const all = allWarmedUp.map((warmedUp): Measured => ({ warmedUp, hot: [], rare: [], commands: 0 }))
    for (const kind of kinds) {
      for (let round = 1; round <= rounds; round++) {
        for (const { warmedUp, [kind]: rows } of inTurns(all, round)) {
          const row = await warmedUp[kind](seconds)
          rows.push(row)
          report.raw({ part: 'cost', contender: warmedUp.name, workload: kind, round, ...row })
        }
      }
    }
    for (const one of all) {
      one.commands = await one.warmedUp.countCommands()
      report.raw({ part: 'cost', contender: one.warmedUp.name, commands: one.commands })
    }
    return all
  })

  const us = (of: Measured, kind: Kind) => median(of[kind].map((row) => row.us))
  const sorted = measured.toSorted((one, other) => us(one, 'hot') - us(other, 'hot'))
  const ours = measured.find(({ warmedUp }) => warmedUp.name === 'gatehouse')

  report.heading('Processor time a request')
  report.text(
    `Microseconds of processor time of the contender's processes, medians of ${rounds} interleaved rounds of ${seconds} s (lowest-highest), ${manyConnections} connections. ` +
      `Hot: ${hot.users} users. Rare: ${users} users at random, one request in ${freshOneIn} with a token not seen before. ` +
      'Times: as a multiple of Gatehouse. Redis: its own processor time, the commands sent to it and its reads, each a request, hot.\n',
  )
  report.table([
    [
      '',
      'hot µs',
      'times',
      'rare µs',
      'times',
      'Redis µs',
      'commands',
      'round trips',
      'requests/s of a core, rare',
    ],
    ...sorted.map((of) => {
      const range = (kind: Kind) => {
        const all = of[kind].map((row) => row.us)
        return spread(Math.min(...all), us(of, kind), Math.max(...all))
      }
      const times = (kind: Kind) => (ours ? figure(us(of, kind) / us(ours, kind)) : '-')
      const redis = [
        median(of.hot.map((row) => row.redisUs)),
        of.commands,
        median(of.hot.map((row) => row.roundTrips)),
      ].map((value) => (of.warmedUp.contender.counts === 'redis' ? figure(value) : '-'))
      const perCore = Math.round(1e6 / us(of, 'rare'))
      return [
        of.warmedUp.contender.title,
        range('hot'),
        times('hot'),
        range('rare'),
        times('rare'),
        ...redis,
        perCore,
      ]
    }),
  ])
  const shares = measured.flatMap((of) => [...of.hot, ...of.rare]).map((row) => row.originShare)
  report.text(
    `\nMeanwhile the origin and its PostgreSQL used ${figure(100 * median(shares))} % of a core. A gateway has no database, and what it asks of the origin ` +
      'between requests does not grow with them.',
  )

  writeFileSync(
    join(folder, 'gateway.svg'),
    drawBars({
      title: 'Processor time a request',
      subtitle:
        'microseconds, lower is better; ES256, two limits in Redis, 12 security headers, an answer of 300 bytes',
      series: ['1,000 users, hot', `${users.toLocaleString('en')} users, each seen rarely`],
      note: 'HAProxy counts in its own memory, which several of them would not share; nginx looks at no token and counts nothing.',
      rows: sorted.map((of) => ({
        label: of.warmedUp.contender.title,
        isOurs: of.warmedUp.name.startsWith('gatehouse'),
        values: kinds.map((kind) => us(of, kind)),
      })),
    }),
  )
}

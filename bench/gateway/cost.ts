import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { figure } from '../common/report.ts'
import { median } from '../common/statistics.ts'
import type { Contender } from './contenders.ts'
import { load } from './load.ts'
import { measure, type Round } from './measure.ts'
import { type BenchPart, hot, unreachedAddressQuota } from './part.ts'
import { drawBars } from './picture.ts'
import { countCommands } from './redis-work.ts'
import { type Running, startContender } from './start-contender.ts'

const connections = 64

const sizes = {
  short: { rounds: 5, seconds: 2 },
  full: { rounds: 9, seconds: 5 },
}

/** Just-in-time compilers need some. */
const warmUpSeconds = 3

/**
 * With three gateways behind 10,000 requests a second of 100,000 users, each gateway meets each user every 30 s. It believes a signature for
 * 300 s, so one request in ten brings a token to verify.
 */
const freshOneIn = 10

/** Below the 300 s for which Gatehouse believes a signature and sends one assertion: what a contender has learned is still of use. */
const staleMs = 120_000

interface Entry {
  contender: Contender
  running: Running
  usedFresh: number
  /** When all known tokens were last shown to it. */
  shownAt: number
  rounds: { hot: Round[]; rare: Round[] }
  commands: number
}

/** Processor time a request, and what Redis has to do for it. */
export const costBench: BenchPart = async ({ stand, contenders, tokens, users, isFull, report, folder }) => {
  const { rounds, seconds } = isFull ? sizes.full : sizes.short
  const workloads = { hot, rare: { users, freshOneIn } }
  const entries: Entry[] = []

  async function showAll(entry: Entry) {
    const workload = workloads.rare
    await load({ url: entry.running.url, tokens, workload, connections, seconds: 0, inTurn: true })
    entry.shownAt = performance.now()
  }

  async function takeRound(name: string, entry: Entry, kind: 'hot' | 'rare', round: number) {
    const { contender, running } = entry
    if (kind === 'rare' && contender.remembers && performance.now() - entry.shownAt > staleMs)
      await showAll(entry)
    const freshFrom = contender.remembers ? entry.usedFresh : 0
    const isWarmUp = round === 0
    const row = await measure({
      stand,
      running,
      tokens,
      workload: workloads[kind],
      connections,
      seconds: isWarmUp ? warmUpSeconds : seconds,
      freshFrom,
    })
    entry.usedFresh += row.usedFresh
    if (contender.remembers && entry.usedFresh > tokens.freshCount)
      throw new Error('There were too few fresh tokens.')
    if (isWarmUp) return
    entry.rounds[kind].push(row)
    report.raw({ part: 'cost', contender: name, workload: kind, connections, round, ...row })
  }

  try {
    for (const [name, contender] of Object.entries(contenders)) {
      const running = await startContender(contender, stand, { name, addressQuota: unreachedAddressQuota })
      const shownAt = Number.NEGATIVE_INFINITY
      entries.push({ contender, running, usedFresh: 0, shownAt, rounds: { hot: [], rare: [] }, commands: 0 })
    }
    const names = Object.keys(contenders)
    for (const kind of ['hot', 'rare'] as const) {
      for (let round = 0; round <= rounds; round++) {
        // Each round begins with another one, so that nobody always follows the same.
        for (let turn = 0; turn < entries.length; turn++) {
          const at = (turn + round) % entries.length
          await takeRound(names[at] ?? '', entries[at] as Entry, kind, round)
        }
      }
    }
    for (const [at, entry] of entries.entries()) {
      const answeredBefore = (await stand.upstream.seen()).answered
      const sent = await countCommands(stand.redis.url, () =>
        load({ url: entry.running.url, tokens, workload: hot, connections, seconds: 1 }),
      )
      entry.commands = sent / ((await stand.upstream.seen()).answered - answeredBefore)
      report.raw({ part: 'cost', contender: names[at], commands: entry.commands })
    }
  } finally {
    for (const { running } of entries) await running.stop()
  }

  const us = ({ rounds }: Entry, kind: 'hot' | 'rare') => median(rounds[kind].map((row) => row.us))
  const ours = entries.find(({ contender }) => contender === contenders.gatehouse)
  const times = (entry: Entry, kind: 'hot' | 'rare') =>
    ours === undefined ? '-' : `${figure(us(entry, kind) / us(ours, kind))}`
  const sorted = entries.toSorted((one, other) => us(one, 'hot') - us(other, 'hot'))

  report.heading('Processor time a request')
  report.text(
    `Microseconds of processor time of the contender's processes, medians of ${rounds} interleaved rounds of ${seconds} s, ${connections} connections ` +
      `(lowest-highest). Hot: ${hot.users} users. Rare: ${users} users at random, one request in ${freshOneIn} with a token not seen before. ` +
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
    ...sorted.map((entry) => {
      const of = (kind: 'hot' | 'rare') => entry.rounds[kind].map((row) => row.us)
      const range = (kind: 'hot' | 'rare') =>
        `${figure(us(entry, kind))} (${figure(Math.min(...of(kind)))}-${figure(Math.max(...of(kind)))})`
      const usesRedis = entry.contender.counts === 'redis'
      return [
        entry.contender.title,
        range('hot'),
        times(entry, 'hot'),
        range('rare'),
        times(entry, 'rare'),
        usesRedis ? figure(median(entry.rounds.hot.map((row) => row.redisUs))) : '-',
        usesRedis ? figure(entry.commands) : '-',
        usesRedis ? figure(median(entry.rounds.hot.map((row) => row.roundTrips))) : '-',
        Math.round(1e6 / us(entry, 'rare')),
      ]
    }),
  ])
  const originUs = entries.flatMap(({ rounds }) => [...rounds.hot, ...rounds.rare]).map((row) => row.originUs)
  report.text(
    `\nThe origin and its PostgreSQL spent ${figure(median(originUs))} µs a request, the gateway's own questions between requests included.`,
  )

  writeFileSync(
    join(folder, 'gateway.svg'),
    drawBars({
      title: 'Processor time a request',
      subtitle: `microseconds, lower is better; ES256, two limits in Redis, 12 security headers, 300 bytes`,
      series: ['1,000 users, hot', `${users.toLocaleString('en')} users, each seen rarely`],
      rows: sorted.map((entry) => ({
        label: entry.contender.title,
        isOurs: entry.contender.title.startsWith('Gatehouse'),
        values: [us(entry, 'hot'), us(entry, 'rare')],
      })),
    }),
  )
}

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kind, kinds } from '../client/mix.ts'
import type { LoadTestOptions } from '../command-line.ts'
import type { LoadTestEnvironment } from '../environment/load-test-environment.ts'
import { runScript } from '../script.ts'
import { type Cost, type Costs, costNames, describeCosts } from './costs.ts'

interface MeasureOptions {
  k6: string
  loadTest: LoadTestOptions
  loadTestEnvironment: LoadTestEnvironment
  reports: string
  say: (line: string) => void
}

const idleMs = 20_000

/** The cost so far, in the units of `Cost`. */
async function readSpent(loadTestEnvironment: LoadTestEnvironment): Promise<Cost> {
  const [statements, roundTrips] = [
    await loadTestEnvironment.countStatements(),
    await loadTestEnvironment.countRedisReads(),
  ]
  const microseconds = (isMeant: (name: string) => boolean) =>
    loadTestEnvironment
      .readParts()
      .filter(({ name }) => isMeant(name))
      .reduce((sum, part) => sum + part.processor_ms * 1000, 0)
  return {
    gateway: microseconds((name) => name.startsWith('gateway')),
    origin: microseconds((name) => name === 'origin'),
    postgres: microseconds((name) => name === 'postgres'),
    redis: microseconds((name) => name === 'redis'),
    statements,
    roundTrips,
  }
}

const combine = (one: Cost, other: Cost, by: (one: number, other: number) => number) =>
  Object.fromEntries(costNames.map((name) => [name, by(one[name], other[name])])) as unknown as Cost

/** Cost of some work, and its seconds. */
async function spentBy(loadTestEnvironment: LoadTestEnvironment, work: () => Promise<unknown>) {
  const before = await readSpent(loadTestEnvironment)
  const startedAt = performance.now()
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  return {
    spent: combine(await readSpent(loadTestEnvironment), before, (after, then) => after - then),
    seconds,
  }
}

/**
 * Reads at the whole rate; a refresh writes, and a login is a second of processor time by
 * intention.
 */
const rateOf = (kind: Kind, rate: number): number =>
  ({ feed: rate, me: rate, refresh: Math.ceil(rate / 2), login: 1 })[kind]

/**
 * Has k6 ask for one kind of request after the other, and divides what each process spent by how
 * many there were, less what it spends on nothing.
 */
export async function measure({
  k6,
  loadTest,
  loadTestEnvironment,
  reports,
  say,
}: MeasureOptions): Promise<void> {
  say('Warming up ...')
  const shareOf = (number: number) => ({
    ...loadTestEnvironment.environment,
    SHARE: `${number}/${kinds.length + 1}`,
  })
  await runScript({
    k6,
    loadTest,
    environment: shareOf(kinds.length),
    reports,
    report: 'measure-warm-up',
    say,
  })
  const idle = await spentBy(loadTestEnvironment, () => sleep(idleMs))
  const costs: Partial<Costs> = {}
  for (const [index, kind] of kinds.entries()) {
    const report = `measure-${kind}`
    say(`Measuring ${kind} ...`)
    const { spent, seconds } = await spentBy(loadTestEnvironment, async () => {
      const scale = { ...loadTest, rate: rateOf(kind, loadTest.rate) }
      const environment = { ...shareOf(index), ONLY: kind }
      const code = await runScript({ k6, loadTest: scale, environment, reports, report, say })
      if (code !== 0) throw new Error(`${kind} did not keep its promises, so its cost is no figure`)
    })
    const { metrics } = JSON.parse(await readFile(join(reports, `${report}.json`), 'utf8'))
    const count: number = metrics.frontend_requests.values.count
    const ofIdle = (part: number) => (part * seconds) / idle.seconds
    // A negative value is the noise of idling.
    costs[kind] = combine(spent, idle.spent, (all, nothing) => Math.max(0, all - ofIdle(nothing)) / count)
  }
  const file = join(reports, 'measure.json')
  await writeFile(file, JSON.stringify(costs, null, 2))
  say(`\n${describeCosts(costs as Costs)}\n\nRaw: ${file}`)
}

import { mkdir, readFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { familyProcessorMs } from '../../bench/common/processor-time.ts'
import { createReport } from '../../bench/common/report.ts'
import { familyResidentBytes } from '../../bench/common/resident-memory.ts'
import { run } from '../../tools/servers/process/run.ts'
import type { LoadTestOptions } from '../command-line.ts'
import { startControl } from '../environment/control.ts'
import type { LoadTestEnvironment, Part } from '../environment/load-test-environment.ts'
import type { Figures } from '../generator/constant-rate.ts'
import { type Generator, startGenerator } from '../generator/start-generator.ts'
import { runScript } from '../script.ts'
import { findHighestRate } from './rates.ts'
import { type Calibration, type Measured, reportRun } from './report-run.ts'
import { requireLastingTokens, splitUsers } from './users-files.ts'
import { machineTotals, watchParts } from './watch-parts.ts'

interface HundredThousandOptions {
  k6: string
  loadTest: LoadTestOptions
  loadTestEnvironment: LoadTestEnvironment
  /** The folder of k6's own reports. */
  reports: string
  say: (line: string) => void
}

/** Requests a second of the journeys that k6 makes, where there are many times as many in all. */
const judgeRate = 100
/** Of a small load it makes a tenth. */
const judgeShare = 0.1

/** Rates are searched to this. */
const rateStep = 500
/** No search has more runs: shares of the judge's users, who spend their refresh tokens in each. */
const maxRuns = 8

/** Long enough for the compiler, and for ten thousand requests at a thousandth of the rate. */
const calibrationSeconds = 10

/** Between the generator's last request and k6's, and its start. */
const marginSeconds = 60

const results = join(import.meta.dirname, '../results')

/**
 * A load of many users from a lean generator, with k6 as its judge.
 *
 * @returns k6's exit code; of a search, 0 where a rate was found
 */
export async function runHundredThousand(options: HundredThousandOptions): Promise<number> {
  const { loadTest, loadTestEnvironment, say } = options
  const out = loadTest.out ?? results
  await mkdir(out, { recursive: true })
  const usersFile = loadTestEnvironment.environment.USERS_FILE
  const { judgeFile, first, count } = await splitUsers(usersFile, loadTest.users)
  const generator = await startGenerator({
    file: usersFile,
    first,
    count,
    password: loadTestEnvironment.environment.PASSWORD,
    readsOnly: loadTest.readsOnly,
  })
  const report = createReport(join(out, `${loadTest.searches ? 'search' : loadTest.name}.jsonl`))
  report.text(`# Load: ${['npm run k6 --', ...process.argv.slice(2)].join(' ')}`)
  try {
    say('Measuring the generator alone ...')
    const calibration = await calibrate(generator, loadTest, loadTestEnvironment.productUrl)
    const facts = {
      ...(await loadTestEnvironment.facts()),
      'memory, GB': Math.round(totalmem() / 1e9),
      k6: (await run(options.k6, ['version'])).trim(),
      load: loadTest.readsOnly ? 'reads' : 'the mix of client/mix.ts',
      ...loadTest.environment,
    }
    let runs = 0
    async function runAt(rate: number): Promise<Measured> {
      const share = loadTest.searches ? `${runs++}/${maxRuns}` : '0/1'
      say(
        `${rate} requests/s: ${loadTest.rampSeconds} s in which users come, and ${loadTest.seconds} s that count ...`,
      )
      const measured = await runOnce({
        ...options,
        loadTest: { ...loadTest, rate },
        generator,
        judgeFile,
        share,
      })
      reportRun(report, { ...measured, calibration, facts: runs > 1 ? {} : facts })
      return measured
    }

    if (!loadTest.searches) return (await runAt(loadTest.rate)).code
    const holds = async (rate: number) => (await runAt(rate)).code === 0
    const highest = await findHighestRate({ max: loadTest.rate, step: rateStep, holds })
    report.heading('The highest rate that kept every promise')
    report.text(`${highest} requests/s, in runs of ${loadTest.seconds} s.`)
    report.raw({ part: 'search', highest })
    return highest > 0 ? 0 : 1
  } finally {
    await generator.stop()
  }
}

/** Processor time of the generator alone, against the service behind the gateway. */
async function calibrate(generator: Generator, { rate }: LoadTestOptions, url: string): Promise<Calibration> {
  const beforeMs = familyProcessorMs(generator.pid)
  const { over } = generator.run({ url, rate, rampSeconds: 0, seconds: calibrationSeconds })
  const figures = await over
  const us = ((familyProcessorMs(generator.pid) - beforeMs) * 1000) / figures.latency.count
  return { us, figures }
}

interface RunOptions extends HundredThousandOptions {
  generator: Generator
  judgeFile: string
  share: string
}

async function runOnce(options: RunOptions): Promise<Measured> {
  const { k6, loadTest, loadTestEnvironment, reports, say, generator, judgeFile, share } = options
  const { rate, rampSeconds, seconds } = loadTest
  await requireLastingTokens(
    loadTestEnvironment.environment.USERS_FILE,
    rampSeconds + seconds + marginSeconds,
  )
  const judged = Math.min(judgeRate, Math.ceil(rate * judgeShare))
  let k6Pid: number | undefined
  const readTotals = (): Part[] => [
    ...loadTestEnvironment.readParts(),
    totalsOf('generator', generator.pid),
    ...(k6Pid === undefined ? [] : [totalsOf('k6', k6Pid)]),
    machineTotals(),
  ]

  const eachSecond: Figures[] = []
  let load: Promise<Figures> | undefined
  let watch: ReturnType<typeof watchParts> | undefined
  let statementsBefore = 0
  let redisReadsBefore = 0
  let measured: Omit<Measured, 'code' | 'summary'> | undefined

  async function start(): Promise<void> {
    const started = generator.run({
      url: loadTestEnvironment.environment.GATEWAY_URL,
      rate: rate - judged,
      rampSeconds,
      seconds,
      onSecond: (second) => eachSecond.push(second),
    })
    load = started.over
    // finish() awaits it, unless k6 ends before.
    load.catch(() => {})
    await started.measuring
    watch = watchParts(readTotals)
    statementsBefore = await loadTestEnvironment.countStatements()
    redisReadsBefore = await loadTestEnvironment.countRedisReads()
  }

  async function finish() {
    if (!load || !watch) throw new Error('the load was not started')
    const figures = await load
    const watched = watch.stop()
    const statements = (await loadTestEnvironment.countStatements()) - statementsBefore
    const redisReads = (await loadTestEnvironment.countRedisReads()) - redisReadsBefore
    const requests = figures.latency.count + judged * seconds
    measured = {
      rate,
      judged,
      seconds,
      rampSeconds,
      users: loadTest.users,
      figures,
      eachSecond,
      requests,
      statements,
      redisReads,
      watched,
    }
    return {
      load_rate: (figures.latency.count - figures.failed) / seconds,
      load_mean_ms: figures.latency.mean,
      load_p95_ms: figures.latency.p95,
      load_failed: figures.failed / Math.max(1, figures.latency.count),
      load_other_users: figures.otherUser,
      database_queries_per_request: statements / requests,
    }
  }

  const control = await startControl({ 'POST /load/start': start, 'POST /load/finish': finish })
  try {
    const code = await runScript({
      k6,
      loadTest: { ...loadTest, rate: judged },
      environment: {
        ...loadTestEnvironment.environment,
        CONTROL_URL: control.url,
        USERS_FILE: judgeFile,
        SHARE: share,
        LOAD_RATE: `${rate - judged}`,
      },
      reports,
      onStart(pid) {
        k6Pid = pid
      },
      say,
    })
    if (!measured) throw new Error('k6 ended before the load did, for the reason above')
    const summary = JSON.parse(await readFile(join(reports, `${loadTest.name}.json`), 'utf8'))
    return { ...measured, code, summary }
  } finally {
    watch?.stop()
    await control.stop()
  }
}

const totalsOf = (name: string, pid: number): Part => ({
  name,
  processor_ms: familyProcessorMs(pid),
  resident_bytes: familyResidentBytes(pid),
})

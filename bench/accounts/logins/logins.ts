import { availableParallelism } from 'node:os'
import type * as worker from '../../../origin/passwords/hash-worker.ts'
import { createWorkerPool, type WorkerPool } from '../../../origin/passwords/worker-pool.ts'
import { closedLoop } from '../../common/load.ts'
import { familyProcessorMs, processorMs } from '../../common/processor-time.ts'
import { figure, spread } from '../../common/report.ts'
import { median } from '../../common/statistics.ts'
import type { BenchPart } from '../environment/part.ts'
import { addAccounts, address, hashPassword, openDatabase } from '../environment/seed.ts'
import { type BenchOrigin, withOrigin } from '../environment/start-origin.ts'

/**
 * At the default cost, which users wait for, the noise of bcrypt hides the rest of a login. At a
 * cost that no configuration may have, bcrypt is small and the rest shows. The rest does not depend
 * on the cost.
 */
const costs = [
  { cost: 12, short: { rounds: 3, count: 12 }, full: { rounds: 9, count: 60 } },
  { cost: 4, short: { rounds: 5, count: 300 }, full: { rounds: 9, count: 2000 } },
]

const accounts = 1000

/** Processor times are those of one task. */
interface Round {
  done: number
  perSecond: number
  originMs: number
  postgresMs: number
}

const arms = ['bcrypt', 'login'] as const
type Rounds = Record<(typeof arms)[number], Round[]>

/** Logins of the origin over HTTP, beside bcrypt alone in a pool of as many threads. */
export const loginsBench: BenchPart = async ({ server, secrets, isFull, report }) => {
  const threads = availableParallelism()
  const clients = 2 * threads
  const table: (string | number)[][] = []

  for (const { cost, short, full } of costs) {
    const { rounds, count } = isFull ? full : short
    const databaseUrl = await server.createDatabase(`bench_logins_${cost}`)
    const sql = await openDatabase(databaseUrl)
    const passwordHash = await hashPassword(Buffer.from(secrets.PASSWORD_DIGEST_KEY, 'base64'), cost)
    await addAccounts(sql, { prefix: 'l', count: accounts, passwordHash })
    await sql.end()

    const measured = await withOrigin({ databaseUrl, secrets, cost, threads }, async (origin) => {
      const pool = createWorkerPool({ threads, queue: clients })
      const tasks = createTasks(origin, pool, passwordHash, cost)
      const result: Rounds = { bcrypt: [], login: [] }
      for (let round = 0; round <= rounds; round++) {
        for (const arm of arms) {
          const pid = arm === 'bcrypt' ? process.pid : origin.pid
          // The first round starts threads, connections and compilers.
          const isWarmUp = round === 0
          const loop = { clients, count: isWarmUp ? Math.ceil(count / 2) : count }
          const row = await measure(loop, tasks[arm], pid, server.pid)
          if (isWarmUp) continue
          report.raw({ part: 'logins', cost, arm, round, ...row })
          result[arm].push(row)
        }
      }
      await pool.close()
      return result
    })
    table.push(...summarize(cost, measured))
  }

  report.heading('Logins')
  report.text(
    `${clients} clients over HTTP, ${threads} hashing threads, rounds of bcrypt alone (the same pool, no HTTP) and of logins in turn; ` +
      'medians (lowest-highest). Processor time in milliseconds; "beyond bcrypt" is what a login costs the origin over bcrypt ' +
      'alone, and Postgres. At cost 12 that difference is smaller than the noise of bcrypt itself: read it at cost 4.\n',
  )
  report.table([['cost', 'what', 'per second', 'process ms', 'Postgres ms', 'beyond bcrypt ms'], ...table])
}

function createTasks(origin: BenchOrigin, pool: WorkerPool, passwordHash: string, cost: number) {
  const hash = pool.from<typeof worker>(new URL('../../../origin/passwords/hash-worker.ts', import.meta.url))
  let turn = 0
  return {
    bcrypt: () =>
      hash('compare', {
        digest: 'some digest of some password',
        stored: passwordHash,
        failure: { cost, times: 1 },
      }),
    async login() {
      const { status } = await origin.login(address('l', turn++ % accounts))
      if (status !== 200) throw new Error(`A login answered ${status}: the bench is wrong.`)
    },
  }
}

async function measure(
  loop: Parameters<typeof closedLoop>[0],
  task: () => Promise<unknown>,
  pid: number,
  postgresPid: number,
): Promise<Round> {
  const before = { origin: processorMs(pid), postgres: familyProcessorMs(postgresPid) }
  const { done, elapsedMs } = await closedLoop(loop, task)
  return {
    done,
    perSecond: (done * 1000) / elapsedMs,
    originMs: (processorMs(pid) - before.origin) / done,
    postgresMs: (familyProcessorMs(postgresPid) - before.postgres) / done,
  }
}

function summarize(cost: number, measured: Rounds): (string | number)[][] {
  const rates = (arm: keyof Rounds) => measured[arm].map(({ perSecond }) => perSecond)
  const rate = (arm: keyof Rounds) =>
    spread(Math.min(...rates(arm)), median(rates(arm)), Math.max(...rates(arm)))
  const bcryptMs = median(measured.bcrypt.map(({ originMs }) => originMs))
  const loginMs = median(measured.login.map(({ originMs }) => originMs))
  const postgresMs = figure(median(measured.login.map((round) => round.postgresMs)))
  return [
    [cost, 'bcrypt alone', rate('bcrypt'), figure(bcryptMs), '', ''],
    [
      cost,
      'login',
      rate('login'),
      figure(loginMs),
      postgresMs,
      `${figure(loginMs - bcryptMs)} + ${postgresMs}`,
    ],
  ]
}

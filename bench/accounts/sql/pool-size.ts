import type { Sql } from '../../../origin/db/types.ts'
import { selectEntitlements } from '../../../origin/entitlements/queries.ts'
import { hashToken } from '../../../origin/opaque-token.ts'
import { rotateRefreshToken } from '../../../origin/sessions/queries.ts'
import { createRefreshTokens } from '../../../origin/sessions/refresh-tokens.ts'
import { closedLoop } from '../../common/load.ts'
import { familyProcessorMs } from '../../common/processor-time.ts'
import { figure } from '../../common/report.ts'
import { median, percentile } from '../../common/statistics.ts'
import type { BenchPart } from '../environment/part.ts'
import { addAccounts, addSessions, context, openDatabase } from '../environment/seed.ts'

/** A server takes 100 connections by default, some of which are kept for others. */
const poolSizes = [1, 2, 4, 8, 16, 32, 50, 90]

/** More clients than any pool has connections: the others wait, as in an origin at its limit. */
const clients = 200

const sizes = {
  short: { sessions: 5000, rounds: 3, roundMs: 500 },
  full: { sessions: 50_000, rounds: 9, roundMs: 3000 },
}

/** Enough for each connection to have its turn. */
const warmUps = 1000

/** A round never does more, so that a machine of any speed writes a bounded number of rows. */
const maxTasks = 100_000

/** Expiry of a session that outlives the bench. */
const lifeSeconds = 7 * 86_400

interface Row {
  perSecond: number
  p99Ms: number
  postgresUs: number
}

/** Throughput and waiting over the size of the pool, for what reads and for what commits. */
export const poolSizeBench: BenchPart = async ({ server, isFull, report }) => {
  const { sessions, rounds, roundMs } = isFull ? sizes.full : sizes.short
  const url = await server.createDatabase('bench_pool')
  const refreshTokens = createRefreshTokens(crypto.getRandomValues(new Uint8Array(32)))
  const seeding = await openDatabase(url)
  const userIds = await addAccounts(seeding, { prefix: 'p', count: sessions, passwordHash: 'none' })
  const live = userIds.map(() => refreshTokens.createFirst())
  await addSessions(seeding, userIds, live)
  await seeding.end()

  let turn = 0
  async function rotate(sql: Sql) {
    const session = turn++ % sessions
    const token = live[session] as string
    const successor = refreshTokens.successorOf(token)
    const stored = { hash: hashToken(successor), lifeSeconds, context }
    if (!(await rotateRefreshToken(sql, hashToken(token), stored)))
      throw new Error('A rotation was refused: the bench is wrong.')
    live[session] = successor
  }
  const works = {
    'reads (entitlements)': (sql: Sql) => selectEntitlements(sql, userIds[turn++ % sessions] as string),
    'commits (refresh)': rotate,
  }

  async function takeRound(sql: Sql, work: (sql: Sql) => Promise<unknown>): Promise<Row & { done: number }> {
    const times: number[] = []
    const before = familyProcessorMs(server.pid)
    const { done, elapsedMs } = await closedLoop({ clients, count: maxTasks, maxMs: roundMs }, async () => {
      const startedAt = performance.now()
      await work(sql)
      times.push(performance.now() - startedAt)
    })
    return {
      done,
      perSecond: (done * 1000) / elapsedMs,
      p99Ms: percentile(times, 0.99),
      postgresUs: ((familyProcessorMs(server.pid) - before) * 1000) / done,
    }
  }

  const measured = new Map<string, Row[]>()
  for (let round = 1; round <= rounds; round++) {
    for (const poolMax of poolSizes) {
      const sql = await openDatabase(url, poolMax)
      for (const [name, work] of Object.entries(works)) {
        // The warm-up opens connections and prepares statements, which is not measured.
        await closedLoop({ clients, count: warmUps }, () => work(sql))
        const row = await takeRound(sql, work)
        report.raw({ part: 'pool-size', work: name, poolMax, clients, round, ...row })
        measured.set(`${name} ${poolMax}`, [...(measured.get(`${name} ${poolMax}`) ?? []), row])
      }
      await sql.end()
    }
  }

  report.heading('Size of the pool')
  report.text(
    `${clients} clients that wait for their answers, ${sessions} accounts, medians of ${rounds} interleaved rounds of ${roundMs} ms. A task's time begins when it is asked for, so ` +
      'what waits for a connection is in it.\n',
  )
  report.table([
    ['connections', ...Object.keys(works).flatMap((name) => [`${name}/s`, 'p99 ms', 'Postgres µs'])],
    ...poolSizes.map((poolMax) => [
      poolMax,
      ...Object.keys(works).flatMap((name) => {
        const rows = measured.get(`${name} ${poolMax}`) ?? []
        const middle = (what: keyof Row) => median(rows.map((row) => row[what]))
        return [Math.round(middle('perSecond')), figure(middle('p99Ms')), figure(middle('postgresUs'))]
      }),
    ]),
  ])
}

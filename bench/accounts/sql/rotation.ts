import { originVariables } from '../../../origin/config.ts'
import type { Sql } from '../../../origin/db/types.ts'
import { hashToken } from '../../../origin/opaque-token.ts'
import { rotateRefreshToken } from '../../../origin/sessions/queries.ts'
import { createRefreshTokens } from '../../../origin/sessions/refresh-tokens.ts'
import { readConfig } from '../../../shared/config.ts'
import { createBenchSessions } from '../environment/bench-sessions.ts'
import type { BenchPart } from '../environment/part.ts'
import { addAccounts, addSessions, context, openDatabase } from '../environment/seed.ts'
import { compareForms } from './compare-forms.ts'
import { rotatePlainly } from './plain-rotation.ts'

const clientCounts = [1, 8, 32]
const sizes = {
  short: { sessions: 5000, rounds: 3, roundMs: 500 },
  full: { sessions: 50_000, rounds: 9, roundMs: 3000 },
}

/** A round never does more, so that a machine of any speed writes a bounded number of rows. */
const maxRotations = 100_000

/** Spends a token and stores its successor; undefined where that did not happen. */
type Rotate = (token: string, successor: string) => Promise<unknown>

/**
 * Refresh rotation in this process: figures contain no HTTP, and a few microseconds of the loop
 * that drives it.
 */
export const rotationBench: BenchPart = async ({ server, secrets, isFull, report }) => {
  const { sessions, rounds, roundMs } = isFull ? sizes.full : sizes.short
  const url = await server.createDatabase('bench_rotation')
  const sql = await openDatabase(url)
  const config = readConfig(originVariables, { ...secrets, DATABASE_URL: url })
  const refreshTokens = createRefreshTokens(config.REFRESH_TOKEN_KEY)
  const forms = await createForms(sql, config)

  const userIds = await addAccounts(sql, { prefix: 'r', count: sessions, passwordHash: 'none' })
  const live = userIds.map(() => refreshTokens.createFirst())
  await addSessions(sql, userIds, live)

  let turn = 0
  /**
   * Each client takes the next session. Sessions far outnumber clients, so no two clients use one
   * at once.
   */
  async function rotateNext(rotate: Rotate) {
    const session = turn++ % sessions
    const token = live[session] as string
    const successor = refreshTokens.successorOf(token)
    if (!(await rotate(token, successor))) throw new Error('A rotation was refused: the bench is wrong.')
    live[session] = successor
  }

  report.heading('Refresh rotation')
  report.text(
    `Medians of ${rounds} interleaved rounds of ${roundMs} ms over ${sessions} sessions (lowest-highest); processor time of ` +
      'this process and of the whole server, microseconds a rotation.\n',
  )
  await compareForms({
    part: 'rotation',
    forms: Object.fromEntries(
      Object.entries(forms).map(([name, rotate]) => [name, () => rotateNext(rotate)]),
    ),
    unit: 'rotation',
    clientCounts,
    rounds,
    roundMs,
    maxCount: maxRotations,
    postgresPid: server.pid,
    report,
  })
  await sql.end()
}

async function createForms(
  sql: Sql,
  config: ReturnType<typeof readConfig<(typeof originVariables)[number]>>,
): Promise<Record<string, Rotate>> {
  const idleSeconds = config.REFRESH_TOKEN_SECONDS
  const { refresh } = await createBenchSessions(config, sql)
  const stored = (token: string) => ({ hash: hashToken(token), lifeSeconds: idleSeconds, context })

  return {
    'one statement (ours)': (token, successor) =>
      rotateRefreshToken(sql, hashToken(token), stored(successor)),
    'plain: BEGIN, 5 statements, COMMIT': (token, successor) =>
      rotatePlainly(sql, hashToken(token), stored(successor), { touchSession: true }),
    'plain without last_used_at: 4 statements': (token, successor) =>
      rotatePlainly(sql, hashToken(token), stored(successor), { touchSession: false }),
    'ours as a service, with signing': async (token, successor) => {
      const outcome = await refresh(token, context)
      return outcome.kind === 'rotated' && outcome.tokens.refresh_token === successor
    },
  }
}

import { availableParallelism } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Identity } from '../../../shared/auth/claims.ts'
import { closedLoop, openLoop, sleep } from '../../common/load.ts'
import { figure } from '../../common/report.ts'
import { median, percentile } from '../../common/statistics.ts'
import type { BenchPart } from '../environment/part.ts'
import { addAccounts, address, hashPassword, openDatabase } from '../environment/seed.ts'
import { type Answer, type BenchOrigin, withOrigin } from '../environment/start-origin.ts'

const cost = 12
const accounts = 1000
const probesPerSecond = 50

/** Until the queue is full, if it is going to be. */
const settleMs = 2000

/** How long the last answers are waited for. */
const graceMs = 1500

const sizes = { short: { rounds: 1, windowMs: 4000 }, full: { rounds: 5, windowMs: 20_000 } }

type Login = (signal: AbortSignal) => Promise<Answer | undefined>
type Flood = (forMs: number, login: Login, signal: AbortSignal) => Promise<unknown>

/** Closed-loop callers, and independent callers who arrive faster than the origin can hash. */
const floods: Record<string, Flood> = {
  none: (forMs) => sleep(forMs),
  '4 logins at a time': (forMs, login, signal) =>
    closedLoop({ clients: 4, maxMs: forMs, count: 10_000 }, () => login(signal)),
  '40 logins/s': (forMs, login, signal) => openLoop({ perSecond: 40, forMs }, () => login(signal)),
}

const hashings = { pool: 'worker pool', 'event-loop': 'event loop' } as const

/**
 * A profile at the origin while logins come in, hashed by the worker pool and on the event loop.
 */
export const meUnderFloodBench: BenchPart = async ({ server, secrets, isFull, report }) => {
  const { rounds, windowMs } = isFull ? sizes.full : sizes.short
  const threads = availableParallelism()
  const databaseUrl = await server.createDatabase('bench_flood')
  const sql = await openDatabase(databaseUrl)
  const passwordHash = await hashPassword(Buffer.from(secrets.PASSWORD_DIGEST_KEY, 'base64'), cost)
  const [userId = ''] = await addAccounts(sql, { prefix: 'f', count: accounts, passwordHash })
  await sql.end()

  const cells = new Map<string, Cell[]>()
  for (let round = 0; round < rounds; round++) {
    for (const [flood, run] of Object.entries(floods)) {
      for (const [hashing, title] of Object.entries(hashings)) {
        // Without logins both are one program.
        if (flood === 'none' && hashing !== 'pool') continue
        const options = { databaseUrl, secrets, cost, threads, hashing: hashing as keyof typeof hashings }
        const cell = await withOrigin(options, (origin) => measure(origin, userId, run, windowMs))
        report.raw({ part: 'me-under-flood', flood, hashing, round, ...cell })
        cells.set(`${flood} | ${title}`, [...(cells.get(`${flood} | ${title}`) ?? []), cell])
      }
    }
  }

  report.heading('GET /v1/me while logins come in')
  report.text(
    `Cost ${cost}, ${threads} hashing threads, ${probesPerSecond} probes a second over ${windowMs / 1000} s, ${rounds} rounds taken together; ` +
      'milliseconds. A probe without an answer counts with the time it had waited, so ">=" is the least it can be. Client lag is ' +
      "the p99 delay of the bench's own event loop: no latency below it means anything.\n",
  )
  report.table([
    [
      'logins',
      'hashed by',
      '/me median',
      'p99',
      'max',
      'unanswered',
      'logins 200',
      'their median',
      '503 (Retry-After)',
      'client lag p99',
    ],
    ...[...cells].map(([name, rows]) => summarize(name, rows)),
  ])
}

interface Cell {
  probes: { ms: number; answered: boolean }[]
  /** Milliseconds of each login that succeeded. */
  loggedInMs: number[]
  shed: number
  retryAfter: string[]
  otherStatuses: number[]
  clientLagMs: number
}

async function measure(origin: BenchOrigin, userId: string, flood: Flood, windowMs: number): Promise<Cell> {
  const askMe = origin.createMe(identity(userId))
  for (let warmUp = 0; warmUp < 100; warmUp++) await askMe()

  const over = new AbortController()
  const logins: Answer[] = []
  let turn = Math.floor(Math.random() * accounts)
  const login: Login = async (signal) => {
    const answer = await origin
      .login(address('f', turn++ % accounts), undefined, signal)
      .catch(() => undefined)
    if (answer) logins.push(answer)
    return answer
  }
  const flooding = flood(settleMs + windowMs, login, over.signal)
  await sleep(settleMs)

  const lag = monitorEventLoopDelay({ resolution: 1 })
  lag.enable()
  const probes: Promise<{ ms: number; answered: boolean }>[] = []
  await openLoop({ perSecond: probesPerSecond, forMs: windowMs }, () => {
    const startedAt = performance.now()
    const since = () => performance.now() - startedAt
    probes.push(
      askMe(over.signal).then(
        ({ status, ms }) => {
          if (status !== 200) throw new Error(`/v1/me answered ${status}: the bench is wrong.`)
          return { ms, answered: true }
        },
        (error) => {
          if (over.signal.aborted) return { ms: since(), answered: false }
          throw error
        },
      ),
    )
  })
  lag.disable()
  await Promise.race([Promise.all([...probes, flooding]), sleep(graceMs)])
  over.abort()
  await flooding

  return {
    probes: await Promise.all(probes),
    loggedInMs: logins.filter(({ status }) => status === 200).map(({ ms }) => ms),
    shed: logins.filter(({ status }) => status === 503).length,
    retryAfter: [
      ...new Set(logins.flatMap(({ status, retryAfter }) => (status === 503 ? [retryAfter ?? 'none'] : []))),
    ],
    otherStatuses: [...new Set(logins.map(({ status }) => status))].filter(
      (status) => status !== 200 && status !== 503,
    ),
    clientLagMs: lag.percentile(99) / 1e6,
  }
}

function summarize(name: string, rows: Cell[]): (string | number)[] {
  const probes = rows.flatMap((row) => row.probes)
  const unanswered = probes.filter(({ answered }) => !answered)
  const leastUnansweredMs = Math.min(...unanswered.map(({ ms }) => ms))
  /** From the first that was not answered upwards, the true value can only be higher. */
  const atLeast = (ms: number) => (ms >= leastUnansweredMs ? `>= ${figure(ms)}` : figure(ms))
  const times = probes.map(({ ms }) => ms)
  const total = (count: (row: Cell) => number) => rows.reduce((sum, row) => sum + count(row), 0)
  const shed = total((row) => row.shed)
  const retryAfter = [...new Set(rows.flatMap((row) => row.retryAfter))].join(', ')
  const others = [...new Set(rows.flatMap((row) => row.otherStatuses))]
  return [
    ...name.split(' | '),
    atLeast(percentile(times, 0.5)),
    atLeast(percentile(times, 0.99)),
    atLeast(Math.max(...times)),
    `${unanswered.length} of ${probes.length}`,
    total((row) => row.loggedInMs.length) + (others.length > 0 ? ` (also ${others.join(', ')})` : ''),
    figure(median(rows.flatMap((row) => row.loggedInMs))),
    shed > 0 ? `${shed} (${retryAfter} s)` : '0',
    figure(Math.max(...rows.map((row) => row.clientLagMs))),
  ]
}

function identity(userId: string): Identity {
  return {
    sub: userId,
    sid: crypto.randomUUID(),
    jti: crypto.randomUUID(),
    email: address('f', 0),
    role: 'user',
    level: 10,
    permissions: ['dashboard.read', 'profile.read', 'profile.write'],
    plan: 'free',
    features: ['basic_dashboard', 'email_notifications', 'profile_customization'],
    quota: 1000,
    epoch: { user: 0, role: 0, plan: 0 },
    amr: ['pwd'],
    acr: 'aal1',
    auth_time: Math.floor(Date.now() / 1000),
  }
}

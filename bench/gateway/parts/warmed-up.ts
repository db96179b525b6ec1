import type { Contender } from '../contenders/contenders.ts'
import { type Running, startContender } from '../contenders/start-contender.ts'
import { type LoadResult, load, type Workload } from '../load/load.ts'
import { measure, type Round } from '../load/measure.ts'
import { countCommands } from '../load/redis-work.ts'
import { type BenchOptions, hot, unreachedAddressQuota } from './part.ts'

/** Just-in-time compilers still optimize after ten thousand requests. */
const warmUpRequests = { short: 30_000, full: 50_000 }

/**
 * Seconds of each round that are not counted: a contender that idled has released memory and code.
 */
const leadInSeconds = 1

/** Requests over which the commands sent to Redis are averaged. */
const countedRequests = 10_000

/** After so many passes, two processes have each seen 31 of 32 users. */
const passesOfSeveral = 5

/** The default of wrk. */
export const manyConnections = 64

/**
 * Below the 280 s after which Gatehouse signs a new assertion: a contender's caches are still
 * valid.
 */
const staleMs = 240_000

/** A contender that runs and has been warmed up. */
export interface WarmedUp {
  name: string
  contender: Contender
  /** Users who come again and again. */
  hot(seconds: number, connections?: number): Promise<Round>
  /** Many users, each seen rarely. */
  rare(seconds: number): Promise<Round>
  /** Sent to Redis for one request. */
  countCommands(): Promise<number>
}

/**
 * With three gateways behind 10,000 requests a second of 100,000 users, each gateway meets each
 * user every 30 s. It believes a signature for 300 s, so one request in ten brings a token to
 * verify.
 */
export const freshOneIn = 10

type Options = Pick<BenchOptions, 'benchEnvironment' | 'tokens' | 'users' | 'isFull'>

async function warmUp(
  name: string,
  contender: Contender,
  running: Running,
  { benchEnvironment, tokens: allTokens, users, isFull }: Options,
): Promise<WarmedUp> {
  const tokens = contender.credentials === 'keys' ? { ...allTokens, known: allTokens.keys } : allTokens
  const workloads = { hot, rare: { users, freshOneIn } } satisfies Record<string, Workload>
  let usedFresh = 0
  let shownAt = Number.NEGATIVE_INFINITY

  async function send(workload: Workload, seconds: number, connections: number): Promise<Round> {
    const sending = { tokens, workload, connections }
    noteFresh(await load({ ...sending, url: running.url, seconds: leadInSeconds, freshFrom: usedFresh }))
    const row = await measure({ ...sending, benchEnvironment, running, seconds, freshFrom: usedFresh })
    noteFresh(row)
    return row
  }
  const sendInTurn = (workload: Workload, inTurn: number) =>
    load({ url: running.url, tokens, workload, inTurn, seconds: 0, connections: manyConnections })

  /** A contender without a cache takes each token for new. */
  function noteFresh({ usedFresh: used }: LoadResult): void {
    if (contender.remembers) usedFresh += used
    if (usedFresh > tokens.freshCount) throw new Error('There were too few fresh tokens.')
  }

  /** Sends one request of each user, unless it did so recently or the contender has no cache. */
  async function showAllUsers() {
    if (!contender.remembers || performance.now() - shownAt < staleMs) return
    // Half of the users of a pass come to each of two processes.
    const passes = contender.processes ? passesOfSeveral : 1
    for (let pass = 0; pass < passes; pass++) await sendInTurn(workloads.rare, users)
    shownAt = performance.now()
  }

  await sendInTurn(workloads.hot, isFull ? warmUpRequests.full : warmUpRequests.short)
  return {
    name,
    contender,
    hot: (seconds, connections = manyConnections) => send(workloads.hot, seconds, connections),

    async rare(seconds) {
      await showAllUsers()
      return send(workloads.rare, seconds, manyConnections)
    },

    async countCommands() {
      const before = await benchEnvironment.upstream.seen()
      const commands = await countCommands(benchEnvironment.redis.url, () =>
        sendInTurn(workloads.hot, countedRequests),
      )
      return commands / ((await benchEnvironment.upstream.seen()).answered - before.answered)
    },
  }
}

/**
 * Starts all contenders side by side and stops them when the work is done. Only one is under load
 * at a time.
 */
export async function withWarmedUp<Result>(
  { contenders, ...options }: Options & Pick<BenchOptions, 'contenders'>,
  work: (allWarmedUp: readonly WarmedUp[]) => Promise<Result>,
): Promise<Result> {
  const running: Running[] = []
  const allWarmedUp: WarmedUp[] = []
  try {
    for (const [name, contender] of Object.entries(contenders)) {
      const one = await startContender(contender, options.benchEnvironment, {
        name,
        addressQuota: unreachedAddressQuota,
      })
      running.push(one)
      allWarmedUp.push(await warmUp(name, contender, one, options))
    }
    return await work(allWarmedUp)
  } finally {
    for (const one of running) await one.stop()
  }
}

/** Rotates the order each round, so that no contender always follows the same one. */
export function inTurns<Item>(items: readonly Item[], round: number): Item[] {
  const first = round % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

import type { UsageReport } from '../../shared/contract.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { Now, WaitUntil } from '../ports.ts'
import type { UsageEntry, VerifiedToken } from '../tokens/verified-token.ts'
import { OriginRejection } from './origin-client.ts'

interface UsageReporterOptions {
  /** Sends a report to the origin; has its own timeout. */
  post: (report: UsageReport) => Promise<unknown>
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
}

/** Most entries of one report. */
const maxReported = 1000

/** Most entries that wait: users, days and limits. Bounds memory while the origin is away. */
const maxWaiting = 10_000

const reportSeconds = 10

/** Statuses of a report that the origin will never accept. */
const isRefused = (error: unknown) =>
  error instanceof OriginRejection && [400, 413, 422].includes(error.status)

/**
 * Adds up what users consume of limits, and reports it to the origin by user, day and limit. No
 * request waits for a report or causes a query.
 *
 * A report that fails is sent again with the same id until the origin accepts it, and the origin
 * counts an id once. Entries beyond `maxWaiting` are lost, and those that a killed process has not
 * reported.
 */
export function createUsageReporter({ post, waitUntil = () => {}, now, log }: UsageReporterOptions) {
  const waiting = new Map<string, UsageEntry>()
  /** A report without a response. */
  let unsent: UsageReport | undefined
  let generation = 0
  let dropped = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let sending: Promise<void> | undefined

  function schedule(): void {
    if (timer !== undefined || sending !== undefined) return
    const reported = new Promise<void>((resolve) => {
      timer = setTimeout(() => resolve(flush()), reportSeconds * 1000)
    })
    waitUntil(reported)
  }

  function findEntry(userId: string, limit: string): UsageEntry | undefined {
    const day = new Date(now()).toISOString().slice(0, 10)
    const key = `${userId} ${day} ${limit}`
    const known = waiting.get(key)
    if (known) {
      known.generation = generation
      return known
    }
    if (waiting.size >= maxWaiting) return undefined
    const entry = { userId, day, limit, used: 0, generation }
    waiting.set(key, entry)
    return entry
  }

  /** The oldest entries become a report. */
  function nextReport(): UsageReport | undefined {
    if (waiting.size === 0) return undefined
    // No token adds to an entry that is in a report.
    generation++
    const usage: UsageReport['usage'] = []
    for (const [key, { userId, day, limit, used }] of waiting) {
      if (usage.length === maxReported) break
      waiting.delete(key)
      usage.push({ user_id: userId, day, limit_name: limit, used })
    }
    const report = { id: crypto.randomUUID(), dropped, usage }
    dropped = 0
    return report
  }

  async function sendAll(): Promise<void> {
    for (let left = 1 + maxWaiting / maxReported; left > 0; left--) {
      unsent ??= nextReport()
      if (!unsent) return
      try {
        await post(unsent)
      } catch (err) {
        if (!isRefused(err)) {
          log.warn({ err, waiting: waiting.size }, 'usage not reported: it is sent again')
          return
        }
        log.error({ err, dropped: unsent.usage.length }, 'usage dropped: the origin refuses the report')
      }
      unsent = undefined
    }
  }

  /** Sends what waits; reports under way are awaited instead. */
  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    // Tokens find their entries anew, so that a day that has ended gets no more.
    generation++
    sending ??= sendAll()
    await sending
    sending = undefined
    if (unsent || waiting.size > 0) schedule()
  }

  return {
    /**
     * @param caller whose requests it is; the token keeps the entry of its latest limit
     * @param used tokens; negative where the response cost less than the request
     */
    record(caller: Pick<VerifiedToken, 'identity' | 'usage'>, limit: string, used: number): void {
      const known = caller.usage
      if (known !== undefined && known.generation === generation && known.limit === limit) {
        known.used += used
        return
      }
      const entry = findEntry(caller.identity.sub, limit)
      if (entry) {
        entry.used += used
        caller.usage = entry
      } else dropped += used
      schedule()
    },

    flush,

    /** Entries that wait. */
    waiting: () => waiting.size + (unsent?.usage.length ?? 0),

    /** Sends what is left, once. */
    async close(): Promise<void> {
      await sending
      await flush()
      clearTimeout(timer)
    },
  }
}

export type UsageReporter = ReturnType<typeof createUsageReporter>

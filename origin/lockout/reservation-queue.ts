import { Problem } from '../../shared/http/errors.ts'
import type { MonotonicMs } from '../../shared/lib/time.ts'

interface ReservationQueueOptions {
  /** Attempts of one group that may wait; more are rejected. */
  limit: number
  maxWaitMs: number
  /**
   * Interval of polling the database: other origins do not announce the end of their attempts.
   */
  pollMs?: number
}

interface Queue {
  waiting: number
  /** Resolves when the last attempt of the queue has its reservation or has given up. */
  last: Promise<unknown>
  /** Whether an attempt has ended since the first of the queue polled. */
  isWoken: boolean
  /** Ends the pause of the first of the queue. */
  endPause: () => void
}

const createQueue = (): Queue => ({
  waiting: 0,
  last: Promise.resolve(),
  isWoken: false,
  endPause: () => {},
})

/** Resolves after `ms`, or when `endPause` is called. */
const pause = (queue: Queue, ms: number) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    queue.endPause = () => {
      clearTimeout(timer)
      resolve()
    }
  })

/**
 * Attempts wait here while others of their group are in progress, in the order of arrival. Only the
 * first of each queue polls the database, so that waiting attempts add no load.
 *
 * The race we accept: an attempt at another origin, or one whose statement began before the queue
 * did, may go first.
 */
export function createReservationQueue({ limit, maxWaitMs, pollMs = 100 }: ReservationQueueOptions) {
  const queues = new Map<string, Queue>()

  async function askUntil<T>(
    queue: Queue,
    ask: () => Promise<T | undefined>,
    endsAt: MonotonicMs,
  ): Promise<T> {
    while (true) {
      queue.isWoken = false
      const result = await ask()
      if (result !== undefined) return result
      const leftMs = endsAt - performance.now()
      if (leftMs <= 0)
        throw new Problem('overloaded', { cause: 'other attempts at the account are in progress' })
      if (!queue.isWoken) await pause(queue, Math.min(pollMs, leftMs))
    }
  }

  return {
    /**
     * @param ask returns undefined while no attempt is free
     * @throws Problem `overloaded` where too many wait, or for too long
     */
    async wait<T>(group: string, ask: () => Promise<T | undefined>): Promise<T> {
      const queue = queues.get(group) ?? createQueue()
      if (queue.waiting >= limit)
        throw new Problem('overloaded', { cause: 'too many attempts at the account wait' })
      queues.set(group, queue)
      queue.waiting += 1
      const endsAt = performance.now() + maxWaitMs
      const result = queue.last.then(() => askUntil(queue, ask, endsAt))
      // The next attempt polls after a failure, too. The caller gets the error from `result` below.
      queue.last = result.catch(() => {})
      try {
        return await result
      } finally {
        queue.waiting -= 1
        if (queue.waiting === 0) queues.delete(group)
      }
    },

    /** Whether attempts of this group wait. */
    has: (group: string) => queues.has(group),

    /** Call it when an attempt of this group has ended: the first of the queue polls again. */
    wake(group: string): void {
      const queue = queues.get(group)
      if (!queue) return
      queue.isWoken = true
      queue.endPause()
    },
  }
}

import { Problem } from '../../shared/http/errors.ts'
import type { MonotonicMs } from '../../shared/lib/time.ts'

interface ClaimQueueOptions {
  /** Attempts that may wait for one counter. One more is refused. */
  limit: number
  longestWaitMs: number
  /**
   * How often the database is asked again: other origins do not announce the end of their attempts.
   */
  pollMs?: number
}

interface Queue {
  waiting: number
  /** Resolves when the last of the queue has its claim or has given up. */
  last: Promise<unknown>
  /** An attempt has ended since the first of the queue asked. */
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

/** Resolves after a time, or when `endPause` is called. */
const pause = (queue: Queue, ms: number) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    queue.endPause = () => {
      clearTimeout(timer)
      resolve()
    }
  })

/**
 * Attempts wait here while others of the same counter are in progress, first come first served at
 * this origin. Only the first of each queue asks the database, so its load does not grow with the
 * number of waiting attempts.
 *
 * The race we accept: an attempt at another origin, or one whose statement began before the queue
 * did, may go first.
 */
export function createClaimQueue({ limit, longestWaitMs, pollMs = 100 }: ClaimQueueOptions) {
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
     * @param ask undefined as long as nothing is free
     * @throws Problem `overloaded` where too many wait, or for too long
     */
    async wait<T>(group: string, ask: () => Promise<T | undefined>): Promise<T> {
      const queue = queues.get(group) ?? createQueue()
      if (queue.waiting >= limit)
        throw new Problem('overloaded', { cause: 'too many attempts at the account wait' })
      queues.set(group, queue)
      queue.waiting += 1
      const endsAt = performance.now() + longestWaitMs
      const turn = queue.last.then(() => askUntil(queue, ask, endsAt))
      // The next gets its turn however this one ends. The caller gets the error from `turn` below.
      queue.last = turn.catch(() => {})
      try {
        return await turn
      } finally {
        queue.waiting -= 1
        if (queue.waiting === 0) queues.delete(group)
      }
    },

    /** Whether attempts wait for this counter. */
    has: (group: string) => queues.has(group),

    /** An attempt at this counter has ended: the first of the queue asks again. */
    wake(group: string): void {
      const queue = queues.get(group)
      if (!queue) return
      queue.isWoken = true
      queue.endPause()
    },
  }
}

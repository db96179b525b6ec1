import { Problem } from '../../shared/http/errors.ts'

interface ClaimQueueOptions {
  /** Attempts that may wait for one counter; beyond that they are refused. */
  limit: number
  longestWaitMs: number
  /** How often a counter is asked again: other origins do not tell when their attempts end. */
  pollMs?: number
}

interface Queue {
  waiting: number
  /** Resolves when the last of the queue has its claim or has given up. */
  last: Promise<unknown>
  /** Has the first of the queue ask at once. */
  wake: () => void
}

/**
 * Where attempts wait while others of the same counter are in progress, first come first served. The first of each
 * queue asks the database, so the number of waiting attempts does not matter to it.
 */
export function createClaimQueue({ limit, longestWaitMs, pollMs = 100 }: ClaimQueueOptions) {
  const queues = new Map<string, Queue>()

  async function askUntil<T>(queue: Queue, ask: () => Promise<T | undefined>, endsAt: number): Promise<T> {
    while (true) {
      const answer = await ask()
      if (answer !== undefined) return answer
      const leftMs = endsAt - performance.now()
      if (leftMs <= 0)
        throw new Problem('overloaded', { cause: 'other attempts at the account are in progress' })
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(pollMs, leftMs))
        queue.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  return {
    /**
     * @param ask undefined as long as nothing is free
     * @throws Problem `overloaded` where too many wait, or for too long
     */
    async wait<T>(counter: string, ask: () => Promise<T | undefined>): Promise<T> {
      const queue = queues.get(counter) ?? { waiting: 0, last: Promise.resolve(), wake: () => {} }
      if (queue.waiting >= limit)
        throw new Problem('overloaded', { cause: 'too many attempts at the account wait' })
      queues.set(counter, queue)
      queue.waiting += 1
      const endsAt = performance.now() + longestWaitMs
      const turn = queue.last.then(() => askUntil(queue, ask, endsAt))
      // Those behind get their turn however this one ends; who waits hears of its error below.
      queue.last = turn.catch(() => {})
      try {
        return await turn
      } finally {
        queue.waiting -= 1
        if (queue.waiting === 0) queues.delete(counter)
      }
    },

    /** An attempt at this counter has ended. */
    wake: (counter: string) => queues.get(counter)?.wake(),
  }
}

import { Problem } from '../../shared/http/errors.ts'

/**
 * Requests of one key: those in progress, and functions that start the waiting ones, oldest first.
 */
interface Queue {
  inProgress: number
  waiting: Set<() => void>
}

interface KeyedSemaphoreOptions {
  /** Requests of one key in progress at once. */
  inProgress: number
  /** Waiting requests of one key. */
  waiting: number
  maxWaitMs: number
}

/**
 * A semaphore for each key, with a bounded queue: one key has at most `inProgress` requests in
 * progress, and further ones wait. Only keys with requests in progress take memory.
 */
export function createKeyedSemaphore({ inProgress, waiting, maxWaitMs }: KeyedSemaphoreOptions) {
  const queues = new Map<string, Queue>()

  const overloaded = () => new Problem('overloaded', { cause: 'requests of an address over its limit' })

  function wait(queue: Queue, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => stop(overloaded()), maxWaitMs)
      const leave = () => stop(new Problem('client_closed_request'))

      function stop(problem?: Problem): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
        queue.waiting.delete(start)
        if (problem) reject(problem)
        else resolve()
      }
      const start = () => stop()

      queue.waiting.add(start)
      signal.addEventListener('abort', leave)
    })
  }

  return {
    /** Keys with requests in progress. */
    get size() {
      return queues.size
    },

    /**
     * @param signal aborted when the client leaves; the request then leaves the queue
     * @returns undefined if the request may start immediately
     * @throws Problem `overloaded` where too many wait, or the wait is too long;
     * `client_closed_request`
     */
    acquire(key: string, signal: AbortSignal): Promise<void> | undefined {
      if (signal.aborted) throw new Problem('client_closed_request')
      const queue = queues.get(key)
      if (!queue) {
        queues.set(key, { inProgress: 1, waiting: new Set() })
        return undefined
      }
      if (queue.inProgress < inProgress) {
        queue.inProgress++
        return undefined
      }
      if (queue.waiting.size >= waiting) throw overloaded()
      return wait(queue, signal)
    },

    /**
     * Called once per acquired slot. The slot passes to the request that has waited longest.
     */
    release(key: string): void {
      const queue = queues.get(key)
      if (!queue) return
      const [start] = queue.waiting
      if (start) start()
      else if (--queue.inProgress === 0) queues.delete(key)
    },
  }
}

export type KeyedSemaphore = ReturnType<typeof createKeyedSemaphore>

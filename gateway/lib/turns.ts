import { Problem } from '../../shared/http/errors.ts'

/**
 * Requests of one caller: those in progress, and functions that start the waiting ones, oldest
 * first.
 */
interface Queue {
  inProgress: number
  waiting: Set<() => void>
}

interface TurnsOptions {
  /** Requests of one caller in progress at once. */
  inProgress: number
  /** Waiting requests of one caller. */
  waiting: number
  maxWaitMs: number
}

/**
 * Bounds the requests that one caller has in progress at once; further ones wait for their turn.
 * Only callers with requests in progress take memory.
 */
export function createTurns({ inProgress, waiting, maxWaitMs }: TurnsOptions) {
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
    /** Callers with requests in progress. */
    get size() {
      return queues.size
    },

    /**
     * @param signal aborted when the client leaves; the request then leaves the queue
     * @returns undefined if the request may start immediately
     * @throws Problem `overloaded` where too many wait, or the wait is too long;
     * `client_closed_request`
     */
    enter(caller: string, signal: AbortSignal): Promise<void> | undefined {
      if (signal.aborted) throw new Problem('client_closed_request')
      const queue = queues.get(caller)
      if (!queue) {
        queues.set(caller, { inProgress: 1, waiting: new Set() })
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
     * Called once per turn. The turn passes to the request that has waited longest.
     */
    leave(caller: string): void {
      const queue = queues.get(caller)
      if (!queue) return
      const [start] = queue.waiting
      if (start) start()
      else if (--queue.inProgress === 0) queues.delete(caller)
    },
  }
}

export type Turns = ReturnType<typeof createTurns>

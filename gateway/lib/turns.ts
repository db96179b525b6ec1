import { Problem } from '../../shared/http/errors.ts'

/**
 * Requests of one caller: those in progress, and what starts those that wait, in the order of their
 * arrival.
 */
interface Line {
  inProgress: number
  waiting: Set<() => void>
}

interface TurnsOptions {
  /** Requests of one caller in progress at once. */
  inProgress: number
  /** Requests of one caller that wait. */
  waiting: number
  longestWaitMs: number
}

/**
 * Bounds the requests that one caller has in progress at once; further ones wait for their turn.
 * Only callers with requests in progress take memory.
 */
export function createTurns({ inProgress, waiting, longestWaitMs }: TurnsOptions) {
  const lines = new Map<string, Line>()

  const tooMany = () => new Problem('overloaded', { cause: 'requests of an address over its limit' })

  function wait(line: Line, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => stop(tooMany()), longestWaitMs)
      const leave = () => stop(new Problem('client_closed_request'))

      function stop(problem?: Problem): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
        line.waiting.delete(start)
        if (problem) reject(problem)
        else resolve()
      }
      const start = () => stop()

      line.waiting.add(start)
      signal.addEventListener('abort', leave)
    })
  }

  return {
    /** Callers with requests in progress. */
    get size() {
      return lines.size
    },

    /**
     * @param signal aborted when the client leaves, which gives its place in the queue up
     * @returns undefined where the turn is there at once
     * @throws Problem `overloaded` where too many wait, or the wait is too long;
     * `client_closed_request`
     */
    enter(caller: string, signal: AbortSignal): Promise<void> | undefined {
      if (signal.aborted) throw new Problem('client_closed_request')
      const line = lines.get(caller)
      if (!line) {
        lines.set(caller, { inProgress: 1, waiting: new Set() })
        return undefined
      }
      if (line.inProgress < inProgress) {
        line.inProgress++
        return undefined
      }
      if (line.waiting.size >= waiting) throw tooMany()
      return wait(line, signal)
    },

    /**
     * To be called once for each turn that was entered. The turn passes to the request that has
     * waited longest.
     */
    leave(caller: string): void {
      const line = lines.get(caller)
      if (!line) return
      const [start] = line.waiting
      if (start) start()
      else if (--line.inProgress === 0) lines.delete(caller)
    },
  }
}

export type Turns = ReturnType<typeof createTurns>

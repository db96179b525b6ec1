import { Problem } from '../../shared/http/errors.ts'

/** Requests of one caller in progress, and those that wait for one of them to end. */
interface Line {
  inProgress: number
  waiting: (() => void)[]
}

interface TurnsOptions {
  inProgress: number
  waiting: number
}

/**
 * Bounds what one caller has in progress at once, so that its other requests wait for their turn. Only callers with requests
 * in progress take memory.
 */
export function createTurns({ inProgress, waiting }: TurnsOptions) {
  const lines = new Map<string, Line>()

  return {
    /** Callers with requests in progress. */
    get size() {
      return lines.size
    },

    /**
     * @returns undefined where the turn is there at once
     * @throws Problem `overloaded` where too many wait
     */
    enter(caller: string): Promise<void> | undefined {
      const line = lines.get(caller)
      if (!line) {
        lines.set(caller, { inProgress: 1, waiting: [] })
        return undefined
      }
      if (line.inProgress < inProgress) {
        line.inProgress++
        return undefined
      }
      if (line.waiting.length >= waiting)
        throw new Problem('overloaded', { cause: 'requests of an address over its limit' })
      return new Promise((resolve) => line.waiting.push(resolve))
    },

    /** Once for each turn that was entered: it goes to the one that waits longest. */
    leave(caller: string): void {
      const line = lines.get(caller)
      if (!line) return
      const next = line.waiting.shift()
      if (next) next()
      else if (--line.inProgress === 0) lines.delete(caller)
    },
  }
}

export type Turns = ReturnType<typeof createTurns>

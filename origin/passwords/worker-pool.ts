import { Piscina } from 'piscina'
import { Problem } from '../../shared/errors.ts'

/** How piscina words it; it has no code to tell its errors by. */
const queueFull = 'Task queue is at limit'

/** A thread keeps the word lists of the strength check; one that was idle this long gives them back. */
const idleMs = 60_000

interface WorkerPoolOptions {
  threads: number
  /** Tasks that may wait for a thread; beyond that they are refused. */
  queue: number
  /** Told of each task; its seconds have the wait for a thread in them. */
  onTask?: (ended: { task: string; seconds: number; shed: boolean }) => void
}

// biome-ignore lint/suspicious/noExplicitAny: a module's functions take what they take.
type Functions = Record<string, (task: any) => unknown>

export type WorkerPool = ReturnType<typeof createWorkerPool>

/**
 * Threads for what the event loop has no time for: one bcrypt of cost 12 takes most of a second.
 *
 * A flood of logins fills the queue and is shed, instead of being served late and starving everything else.
 */
export function createWorkerPool({ threads, queue, onTask = () => {} }: WorkerPoolOptions) {
  const pool = new Piscina({ minThreads: 1, maxThreads: threads, maxQueue: queue, idleTimeout: idleMs })

  return {
    /**
     * Binds the pool to a module, each export of which takes one argument.
     *
     * @returns a function that runs an export by its name; it throws Problem `overloaded` where the queue is full
     */
    from<Module extends Functions>(module: URL) {
      return async function run<Name extends keyof Module & string>(
        name: Name,
        task: Parameters<Module[Name]>[0],
      ): Promise<ReturnType<Module[Name]>> {
        const startedAt = performance.now()
        let shed = false
        try {
          return await pool.run(task, { filename: module.href, name })
        } catch (cause) {
          shed = cause instanceof Error && cause.message === queueFull
          if (shed) throw new Problem('overloaded', { cause })
          throw cause
        } finally {
          onTask({ task: name, seconds: (performance.now() - startedAt) / 1000, shed })
        }
      }
    },

    /** Tasks that wait for a thread right now. */
    waiting: () => pool.queueSize,

    close: () => pool.close(),
  }
}

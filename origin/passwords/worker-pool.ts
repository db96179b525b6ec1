import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { addressKey } from '../../shared/http/address-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import { PriorityQueue, preferredInARow, type QueueOptions, withQueueOptions } from './priority-queue.ts'

/** An idle thread ends after this time and frees its memory. */
const idleMs = 60_000

/**
 * How long the mean time of tasks is cached: reading it takes a millisecond, and a flood sheds
 * thousands of tasks a second.
 */
const meanLifeMs = 5000

/** The most that PASSWORD_HASH_THREADS takes. */
const maxThreads = 64

/**
 * Threads that hash passwords, by default one for each core that this process may use: its CPU
 * affinity, and in a container the CPU quota, rounded down. A hash keeps a core busy, so more
 * threads would only make each login slower.
 */
export const hashThreads = (configured: number | undefined, cores = availableParallelism()): number =>
  configured ?? Math.min(cores, maxThreads)

interface WorkerPoolOptions {
  threads: number
  /** Tasks that may wait for a thread in each of the two queues; more are rejected. */
  queue: number
  /**
   * A task with a longer estimated wait is rejected: the user has left by then, and the gateway
   * gives up after 30 s. Hashing for them would delay others.
   */
  maxWaitSeconds?: number
  /**
   * A module that is slow to load. A thread loads it before its first task, so that the times of
   * tasks do not include it, and idle threads end.
   */
  heavyModule?: URL
  /** Called for each task; `seconds` includes the wait for a thread. */
  onTask?: (ended: { task: string; seconds: number; shed: boolean }) => void
}

/** The share of a queue that one client address may fill: 22 of 64, enough for an office. */
const shareOfAddress = 1 / 3

interface RunOptions {
  /** The client's address; tasks without one are one group, which may fill its queue. */
  address?: string | null
  isPreferred?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: the parameters of a module's functions differ.
type Functions = Record<string, (task: any) => unknown>

export type WorkerPool = ReturnType<typeof createWorkerPool>

/**
 * Threads for work that would block the event loop: one bcrypt of cost 12 takes most of a second.
 *
 * A flood of logins fills the queue and is shed, instead of being served late. On a slow or busy
 * machine the queue is shortened by its estimated wait. Preferred tasks wait in a queue of their
 * own. In each queue client addresses take turns, and one address may fill a third of it, so that
 * it neither delays nor sheds the tasks of others.
 */
export function createWorkerPool({
  threads,
  queue,
  maxWaitSeconds = 10,
  heavyModule,
  onTask = () => {},
}: WorkerPoolOptions) {
  const queues = new PriorityQueue()
  const perAddress = Math.ceil(queue * shareOfAddress)
  const pool = new Piscina({
    minThreads: heavyModule ? 0 : 1,
    maxThreads: threads,
    ...(heavyModule && { filename: heavyModule.href }),
    taskQueue: queues,
    // Without it a task that finds no free thread goes behind all others.
    stricterFIFO: true,
    idleTimeout: idleMs,
  })
  let mean = { taskSeconds: Number.NaN, readAt: Number.NEGATIVE_INFINITY }

  /** Mean time of a task without its wait; NaN before the first has ended. */
  function taskSeconds(): number {
    const now = performance.now()
    if (Number.isNaN(mean.taskSeconds) || now - mean.readAt > meanLifeMs)
      mean = { taskSeconds: pool.histogram.runTime.mean / 1000, readAt: now }
    return mean.taskSeconds
  }

  /** @throws Problem `overloaded` where the queue, or the address's share, is full or too slow */
  function rejectLongWait({ isPreferred, group }: QueueOptions): void {
    // A task whose thread is being started does not wait.
    const starting = queues.size - pool.queueSize
    const own = isPreferred ? queues.preferred : queues.others
    const ahead = own.aheadOf(group)
    const ofOther = isPreferred
      ? Math.min(queues.others.size, Math.floor(ahead / preferredInARow))
      : queues.preferred.size
    const waiting = Math.max(0, ahead + ofOther - starting)
    const seconds = secondsToDrain({ waiting, threads, taskSeconds: taskSeconds() })
    const isShareFull = group !== '' && own.sizeOf(group) - starting >= perAddress
    const isFull = isShareFull || own.size - starting >= queue
    if (isFull || (waiting > 0 && seconds > maxWaitSeconds))
      throw new Problem('overloaded', { headers: { 'retry-after': String(seconds) } })
  }

  return {
    /**
     * Binds the pool to a module, each export of which takes one argument.
     *
     * @returns a function that runs an export by its name, before others where it is preferred; it
     * throws Problem `overloaded` where the queue is full or too slow
     */
    from<Module extends Functions>(module: URL) {
      return async function run<Name extends keyof Module & string>(
        name: Name,
        // An object: the queue options are added to it.
        task: Parameters<Module[Name]>[0] & object,
        { address = null, isPreferred = false }: RunOptions = {},
      ): Promise<ReturnType<Module[Name]>> {
        const startedAt = performance.now()
        const options = { isPreferred, group: address === null ? '' : addressKey(address) }
        let shed = true
        try {
          rejectLongWait(options)
          shed = false
          return await pool.run({ ...task, ...withQueueOptions(options) }, { filename: module.href, name })
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

interface Load {
  /** Tasks in the queue. */
  waiting: number
  threads: number
  taskSeconds: number
}

/**
 * Whole seconds until the waiting tasks are done, at least one. A client that retries sooner would
 * be rejected again.
 */
export function secondsToDrain({ waiting, threads, taskSeconds }: Load): number {
  const seconds = (waiting / threads + 1) * taskSeconds
  return Number.isNaN(seconds) ? 1 : Math.max(1, Math.ceil(seconds))
}

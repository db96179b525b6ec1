import { Piscina } from 'piscina'
import { addressKey } from '../../shared/http/address-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import { PriorityQueue, preferredInARow, type QueueOptions, withQueueOptions } from './priority-queue.ts'

/** A thread that was idle this long gives its memory back. */
const idleMs = 60_000

/**
 * How long the mean of what tasks took is good for: to read it takes a millisecond, and a flood
 * sheds thousands a second.
 */
const meanLifeMs = 5000

interface WorkerPoolOptions {
  threads: number
  /** Tasks that may wait for a thread, in each of two lines; beyond that they are refused. */
  queue: number
  /**
   * Nor may one wait longer than this, as far as those before it tell: somebody who logs in is gone
   * by then, and the gateway at its 30 s; hashing for who has gone keeps who comes waiting.
   */
  longestWaitSeconds?: number
  /**
   * A module that takes long to load. A thread loads it before its first task, so that the time of
   * tasks tells nothing of it, and no thread stays once all are idle.
   */
  heavyModule?: URL
  /** Told of each task; its seconds have the wait for a thread in them. */
  onTask?: (ended: { task: string; seconds: number; shed: boolean }) => void
}

/** The part of a line that one client address may fill: 22 of 64, as an office logs in together. */
const shareOfAddress = 1 / 3

interface RunOptions {
  /** Of the client; tasks without one wait as one group, which may fill its line. */
  address?: string | null
  isPreferred?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: a module's functions take what they take.
type Functions = Record<string, (task: any) => unknown>

export type WorkerPool = ReturnType<typeof createWorkerPool>

/**
 * Threads for what the event loop has no time for: one bcrypt of cost 12 takes most of a second.
 *
 * A flood of logins fills the queue and is shed, instead of being served late and starving
 * everything else. On a machine that is slow, or busy with something else, a queue is too long
 * before it is full. Preferred tasks wait in a line of their own, which the flood is not in. In
 * each line client addresses take turns, and one address may fill a third of it, so one address
 * neither delays nor sheds the tasks of others.
 */
export function createWorkerPool({
  threads,
  queue,
  longestWaitSeconds = 10,
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
    // Otherwise a task that finds no thread free goes behind all others.
    stricterFIFO: true,
    idleTimeout: idleMs,
  })
  let mean = { taskSeconds: Number.NaN, readAt: Number.NEGATIVE_INFINITY }

  /** What tasks took up to now, without their wait; NaN before the first has ended. */
  function taskSeconds(): number {
    const now = performance.now()
    if (Number.isNaN(mean.taskSeconds) || now - mean.readAt > meanLifeMs)
      mean = { taskSeconds: pool.histogram.runTime.mean / 1000, readAt: now }
    return mean.taskSeconds
  }

  /** @throws Problem `overloaded` where the line, or the address's share, is full or too slow */
  function rejectLongWait({ isPreferred, group }: QueueOptions): void {
    // What a thread is just being started for waits behind nobody.
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
    if (isFull || (waiting > 0 && seconds > longestWaitSeconds))
      throw new Problem('overloaded', { headers: { 'retry-after': String(seconds) } })
  }

  return {
    /**
     * Binds the pool to a module, each export of which takes one argument.
     *
     * @returns a function that runs an export by its name, ahead of the others where it is
     * preferred; it throws Problem `overloaded` where its line is full or too slow
     */
    from<Module extends Functions>(module: URL) {
      return async function run<Name extends keyof Module & string>(
        name: Name,
        // An object, as its turn is laid over it.
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
 * How long until what waits now is done, in whole seconds and at least one: whoever comes back
 * sooner finds the queue as full as they left it, and is turned away again.
 */
export function secondsToDrain({ waiting, threads, taskSeconds }: Load): number {
  const seconds = (waiting / threads + 1) * taskSeconds
  return Number.isNaN(seconds) ? 1 : Math.max(1, Math.ceil(seconds))
}

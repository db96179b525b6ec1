import { queueOptionsSymbol, type TaskQueue } from 'piscina'
import { FairQueue, type Task } from './fair-queue.ts'

/** How a task waits. */
export interface QueueOptions {
  isPreferred: boolean
  /** Tasks of one group wait for each other; '' for those without a client. */
  group: string
}

/** Laid over a task, tells the queue how it waits. */
export const withQueueOptions = (options: QueueOptions) => ({ [queueOptionsSymbol]: options })

/**
 * After so many preferred tasks in a row one of the others runs, so a full preferred line starves
 * nobody.
 */
export const preferredInARow = 4

/** Two lines in front of the same threads, one of which goes first. Each is fair to its groups. */
export class PriorityQueue implements TaskQueue {
  readonly preferred = new FairQueue()
  readonly others = new FairQueue()
  private inARow = 0
  /**
   * What `row` was before the task taken last, which piscina puts back where no thread is free for
   * it.
   */
  private inARowBefore = 0

  get size(): number {
    return this.preferred.size + this.others.size
  }

  push(task: Task): void {
    this.queueOf(task).push(queueOptionsOf(task).group, task)
  }

  unshift(task: Task): void {
    this.queueOf(task).unshift(queueOptionsOf(task).group, task)
    this.inARow = this.inARowBefore
  }

  remove(task: Task): void {
    this.queueOf(task).remove(queueOptionsOf(task).group, task)
  }

  shift(): Task | null {
    const isPreferred = this.preferred.size > 0 && (this.others.size === 0 || this.inARow < preferredInARow)
    this.inARowBefore = this.inARow
    this.inARow = isPreferred ? this.inARow + 1 : 0
    return (isPreferred ? this.preferred : this.others).shift()
  }

  private queueOf(task: Task): FairQueue {
    return queueOptionsOf(task).isPreferred ? this.preferred : this.others
  }
}

const queueOptionsOf = (task: Task) => task[queueOptionsSymbol] as QueueOptions

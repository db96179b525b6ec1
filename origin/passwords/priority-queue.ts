import { queueOptionsSymbol, type TaskQueue } from 'piscina'
import { FairQueue, type Task } from './fair-queue.ts'

/** A task's place in the queue. */
export interface QueueOptions {
  isPreferred: boolean
  /** Tasks of one group wait for each other; '' for tasks without a client. */
  group: string
}

/** Properties that pass the options of a task to piscina. */
export const withQueueOptions = (options: QueueOptions) => ({ [queueOptionsSymbol]: options })

/**
 * After so many preferred tasks in a row one of the others runs, so that they do not starve.
 */
export const preferredInARow = 4

/** Two fair queues for the same threads; preferred tasks precede the others. */
export class PriorityQueue implements TaskQueue {
  readonly preferred = new FairQueue()
  readonly others = new FairQueue()
  private inARow = 0
  /**
   * The former `inARow`: piscina puts the last task back where no thread is free.
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

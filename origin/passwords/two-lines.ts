import { queueOptionsSymbol, type TaskQueue } from 'piscina'
import { FairQueue, type Task } from './fair-queue.ts'

/** How a task waits. */
export interface Turn {
  isPreferred: boolean
  /** Tasks of one group wait for each other; '' for those without a client. */
  group: string
}

/** Laid over a task, tells the queue how it waits. */
export const inTurn = (turn: Turn) => ({ [queueOptionsSymbol]: turn })

/**
 * After so many preferred tasks in a row one of the others runs, so a full preferred line starves
 * nobody.
 */
export const inARow = 4

/** Two lines in front of the same threads, one of which goes first. Each is fair to its groups. */
export class TwoLines implements TaskQueue {
  readonly preferred = new FairQueue()
  readonly others = new FairQueue()
  private row = 0
  /**
   * What `row` was before the task taken last, which piscina puts back where no thread is free for
   * it.
   */
  private rowBefore = 0

  get size(): number {
    return this.preferred.size + this.others.size
  }

  push(task: Task): void {
    this.lineOf(task).push(turnOf(task).group, task)
  }

  unshift(task: Task): void {
    this.lineOf(task).unshift(turnOf(task).group, task)
    this.row = this.rowBefore
  }

  remove(task: Task): void {
    this.lineOf(task).remove(turnOf(task).group, task)
  }

  shift(): Task | null {
    const isPreferred = this.preferred.size > 0 && (this.others.size === 0 || this.row < inARow)
    this.rowBefore = this.row
    this.row = isPreferred ? this.row + 1 : 0
    return (isPreferred ? this.preferred : this.others).shift()
  }

  private lineOf(task: Task): FairQueue {
    return turnOf(task).isPreferred ? this.preferred : this.others
  }
}

const turnOf = (task: Task) => task[queueOptionsSymbol] as Turn

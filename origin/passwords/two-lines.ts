import { FixedQueue, queueOptionsSymbol, type TaskQueue } from 'piscina'

type Task = Parameters<TaskQueue['push']>[0]

/** Laid over a task that is to wait in the line that goes first. */
export const asPreferred = { [queueOptionsSymbol]: { isPreferred: true } } as const

/**
 * So many preferred tasks in a row, and then one of the others: nobody waits for ever, even where
 * somebody fills the line that goes first.
 */
export const inARow = 4

/** Two lines in front of the same threads, one of which goes first. */
export class TwoLines implements TaskQueue {
  readonly preferred = new FixedQueue()
  readonly others = new FixedQueue()
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
    this.lineOf(task).push(task)
  }

  unshift(task: Task): void {
    this.lineOf(task).unshift(task)
    this.row = this.rowBefore
  }

  remove(task: Task): void {
    this.lineOf(task).remove(task)
  }

  shift(): Task | null {
    const isPreferred = this.preferred.size > 0 && (this.others.size === 0 || this.row < inARow)
    this.rowBefore = this.row
    this.row = isPreferred ? this.row + 1 : 0
    return (isPreferred ? this.preferred : this.others).shift()
  }

  private lineOf(task: Task): FixedQueue {
    return task[queueOptionsSymbol] === null ? this.others : this.preferred
  }
}

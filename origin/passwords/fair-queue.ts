import type { TaskQueue } from 'piscina'

export type Task = Parameters<TaskQueue['push']>[0]

interface Group {
  key: string
  tasks: Task[]
}

/**
 * A queue that takes one task of each group in turn, so that a group with many tasks delays no
 * other.
 */
export class FairQueue {
  size = 0
  private readonly groups = new Map<string, Group>()
  /** Groups with tasks: the next one first. */
  private readonly order: Group[] = []

  sizeOf(key: string): number {
    return this.groups.get(key)?.tasks.length ?? 0
  }

  /** Tasks that leave before a task that this group pushes now. */
  aheadOf(key: string): number {
    const own = this.sizeOf(key)
    let ahead = own
    for (const group of this.order) if (group.key !== key) ahead += Math.min(group.tasks.length, own + 1)
    return ahead
  }

  push(key: string, task: Task): void {
    const group = this.groups.get(key)
    if (group) group.tasks.push(task)
    else this.order.push(this.addGroup({ key, tasks: [task] }))
    this.size += 1
  }

  shift(): Task | null {
    const group = this.order.shift()
    const task = group?.tasks.shift()
    if (!group || !task) return null
    if (group.tasks.length > 0) this.order.push(group)
    else this.groups.delete(group.key)
    this.size -= 1
    return task
  }

  /** Undoes the last `shift`. */
  unshift(key: string, task: Task): void {
    const group = this.groups.get(key) ?? this.addGroup({ key, tasks: [] })
    const index = this.order.lastIndexOf(group)
    if (index >= 0) this.order.splice(index, 1)
    group.tasks.unshift(task)
    this.order.unshift(group)
    this.size += 1
  }

  remove(key: string, task: Task): void {
    const group = this.groups.get(key)
    const index = group?.tasks.indexOf(task) ?? -1
    if (!group || index < 0) return
    group.tasks.splice(index, 1)
    this.size -= 1
    if (group.tasks.length > 0) return
    this.groups.delete(key)
    this.order.splice(this.order.indexOf(group), 1)
  }

  private addGroup(group: Group): Group {
    this.groups.set(group.key, group)
    return group
  }
}

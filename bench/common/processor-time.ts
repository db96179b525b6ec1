import { readdirSync, readFileSync } from 'node:fs'

/**
 * Linux reports processor time in hundredths of a second, independent of the kernel's own clock.
 */
const tickMs = 10

interface ProcessTimes {
  parent: number
  /** Its own, all threads. */
  ownMs: number
  /** Of children that ended and were waited for. */
  endedChildrenMs: number
}

/**
 * proc_pid_stat(5). The second field is the program's name in parentheses, which may hold anything.
 */
function readTimes(pid: number): ProcessTimes | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [, parent = 0] = fields
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15)
  return {
    parent,
    ownMs: (user + system) * tickMs,
    endedChildrenMs: (childUser + childSystem) * tickMs,
  }
}

/**
 * Milliseconds of processor time of one process so far, user and system, all its threads; in steps
 * of 10.
 */
export function processorMs(pid: number): number {
  return readTimes(pid)?.ownMs ?? 0
}

/**
 * As `processorMs`, of a process and its children, those that ended included. Backends of
 * PostgreSQL leave the process group of their postmaster (setsid), so it is the parent they are
 * found by.
 */
export function familyProcessorMs(pid: number): number {
  const head = readTimes(pid)
  let sumMs = (head?.ownMs ?? 0) + (head?.endedChildrenMs ?? 0)
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const times = readTimes(Number(name))
    if (times?.parent === pid) sumMs += times.ownMs
  }
  return sumMs
}

/** Milliseconds of processor time of this process so far, to the microsecond. */
export function ownProcessorMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

import { readdirSync, readFileSync } from 'node:fs'

function status(pid: number | string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    // It has ended since we were told of it.
    return ''
  }
}

const numberIn = (text: string, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)

const residentIn = (text: string) => numberIn(text, 'VmRSS') * 1024

/** Bytes of memory that a process holds now (proc_pid_status(5), VmRSS). */
export const residentBytes = (pid: number) => residentIn(status(pid))

/** The same of a process and its children; what they share is counted for each. */
export function familyResidentBytes(pid: number): number {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(status)
    .filter((text) => numberIn(text, 'PPid') === pid)
  return [status(pid), ...children].reduce((sum, text) => sum + residentIn(text), 0)
}

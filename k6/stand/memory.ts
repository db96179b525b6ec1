import { readFileSync } from 'node:fs'

/** The memory that a process holds now (proc_pid_status(5)); Linux alone, as are processor times. */
export function residentBytes(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

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

/**
 * Bytes of memory that a process and its children hold now (proc_pid_status(5)). Memory that they
 * share, of files and between them, is counted once: the largest of their shares.
 */
export function familyResidentBytes(pid: number): number {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(status)
    .filter((text) => numberIn(text, 'PPid') === pid)
  const family = [status(pid), ...children]
  const ownKb = family.reduce((sum, text) => sum + numberIn(text, 'RssAnon'), 0)
  const sharedKb = Math.max(...family.map((text) => numberIn(text, 'RssFile') + numberIn(text, 'RssShmem')))
  return (ownKb + sharedKb) * 1024
}

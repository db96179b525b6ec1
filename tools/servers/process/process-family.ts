import { run } from './run.ts'

/**
 * Sends a signal to a process and its children. The backends of PostgreSQL leave the process group
 * of their postmaster, so they are found by their parent.
 */
export async function signalFamily(pid: number, signal: NodeJS.Signals): Promise<void> {
  send(pid, signal)
  for (const child of await childrenOf(pid)) send(child, signal)
}

/** Kills a process and its children. The parent is paused first, so that it starts no others. */
export async function killFamily(pid: number): Promise<void> {
  send(pid, 'SIGSTOP')
  const children = await childrenOf(pid)
  for (const one of [pid, ...children]) send(one, 'SIGKILL')
}

async function childrenOf(pid: number): Promise<number[]> {
  // The program exits with 1 where there are none.
  const lines = await run('pgrep', ['-P', `${pid}`]).catch(() => '')
  return lines.split('\n').filter(Boolean).map(Number)
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

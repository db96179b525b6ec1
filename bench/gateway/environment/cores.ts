import { availableParallelism } from 'node:os'
import { run } from '../../../tools/servers/process/run.ts'

/**
 * The cores of a contender: the first, which it has for itself, and where it is several processes
 * as many more, which it shares with load, upstream, Redis, origin and us.
 */
export const contenderCores = (processes = 1): string => `0-${processes - 1}`

/**
 * Moves this process, and the processes that it starts later, off the contender's core.
 * @throws Error where there is one core alone
 */
export async function leaveContenderCore(): Promise<void> {
  const cores = availableParallelism()
  if (cores < 2) throw new Error('The bench needs two cores: one for what it measures, one for the load.')
  await run('taskset', ['--all-tasks', '--cpu-list', '--pid', `1-${cores - 1}`, `${process.pid}`])
}

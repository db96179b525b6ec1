import { availableParallelism } from 'node:os'

/** The most that PASSWORD_HASH_THREADS takes. */
const maxThreads = 64

/**
 * Threads that hash passwords, by default one for each core that this process may use: its CPU
 * affinity, and in a container the CPU quota, rounded down. A hash keeps a core busy, so more
 * threads would only make each login slower.
 */
export const hashThreads = (configured: number | undefined, cores = availableParallelism()): number =>
  configured ?? Math.min(cores, maxThreads)

interface Loop {
  /** Clients, each of which waits for an answer before it asks again. */
  clients: number
  /** Tasks at most; the number of the next one goes to each call. */
  count?: number
  /** No task starts after this time. */
  maxMs?: number
}

/**
 * A closed loop, bounded in count, in time or in both.
 *
 * @returns the tasks done, and the milliseconds until the last of them was
 */
export async function closedLoop(
  { clients, count = Number.POSITIVE_INFINITY, maxMs = Number.POSITIVE_INFINITY }: Loop,
  task: (number: number) => Promise<unknown>,
): Promise<{ done: number; elapsedMs: number }> {
  const startedAt = performance.now()
  let next = 0
  async function client() {
    while (next < count && performance.now() - startedAt < maxMs) await task(next++)
  }
  await Promise.all(Array.from({ length: clients }, client))
  return { done: next, elapsedMs: performance.now() - startedAt }
}

/**
 * An open loop: tasks start at a fixed rate, independent of earlier ones, as independent callers
 * do. Resolves after the last start; the caller tracks the tasks.
 */
export async function openLoop(
  { perSecond, forMs }: { perSecond: number; forMs: number },
  task: (number: number) => unknown,
): Promise<void> {
  const startedAt = performance.now()
  const count = Math.floor((perSecond * forMs) / 1000)
  for (let number = 0; number < count; number++) {
    const dueInMs = startedAt + (number * 1000) / perSecond - performance.now()
    if (dueInMs > 0) await sleep(dueInMs)
    task(number)
  }
  await sleep(Math.max(0, startedAt + forMs - performance.now()))
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

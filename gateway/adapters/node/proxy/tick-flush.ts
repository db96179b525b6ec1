export interface Flushable {
  flush(): void
}

export type FlushPerTick = (item: Flushable) => void

/**
 * Gathers items, and flushes them once the input of this turn of the event loop has been read.
 * Writes to many sockets in a row wake their reader once; single writes wake it each time.
 */
export function createTickFlush(): FlushPerTick {
  let waiting: Flushable[] = []

  function flushAll(): void {
    const all = waiting
    waiting = []
    for (const item of all) item.flush()
  }

  return function flushPerTick(item) {
    if (waiting.push(item) === 1) setImmediate(flushAll)
  }
}

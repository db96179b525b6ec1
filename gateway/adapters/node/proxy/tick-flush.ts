export type FlushPerTick = (run: () => void) => void

/**
 * Gathers functions, and runs them once the input of this turn of the event loop has been read.
 * Writes to many sockets in a row wake their reader once; single writes wake it each time.
 */
export function createTickFlush(): FlushPerTick {
  let waiting: (() => void)[] = []

  function runAll(): void {
    const all = waiting
    waiting = []
    for (const run of all) run()
  }

  return function flushPerTick(run) {
    if (waiting.push(run) === 1) setImmediate(runAll)
  }
}

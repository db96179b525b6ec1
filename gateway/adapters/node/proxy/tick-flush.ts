export type FlushPerTick = (run: () => void) => void

/**
 * Gathers what is to run when all that a turn of the event loop brought has been read. What is
 * written to many sockets in a row wakes whoever reads them once; what is written now and then,
 * each time.
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

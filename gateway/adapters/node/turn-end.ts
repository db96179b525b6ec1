let waiting: (() => void)[] = []

function runAll(): void {
  const all = waiting
  waiting = []
  for (const run of all) run()
}

/**
 * Runs something when all that this turn of the event loop brought has been read. What is written to many sockets in a row wakes whoever reads
 * them once; what is written now and then, each time.
 */
export function atTurnEnd(run: () => void): void {
  if (waiting.push(run) === 1) setImmediate(runAll)
}

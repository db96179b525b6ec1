import { constants } from 'node:os'

const signals = ['SIGINT', 'SIGTERM'] as const

/** npm repeats a terminal's SIGINT, which the process already has. */
const repeatMs = 1000

/**
 * Aborts at the first SIGINT or SIGTERM, with the exit code of shells as the reason. Another one
 * after a second ends the process at once, and its servers with it.
 */
export function abortOnSignal(): AbortSignal {
  const controller = new AbortController()
  let interruptedAt: number | undefined
  for (const name of signals)
    process.on(name, () => {
      const exitCode = 128 + constants.signals[name]
      interruptedAt ??= performance.now()
      if (performance.now() - interruptedAt > repeatMs) process.exit(exitCode)
      controller.abort(exitCode)
    })
  return controller.signal
}

import type { Recorder } from '../recorder.ts'

const tickMs = 200
/** Later than this, other processes may have waited for the processor as long. */
const lateMs = 500
/** Processes that waited have as much to catch up with. */
const reserveMs = 2000

/**
 * Records moments at which the machine gave this process no time: services may have had none
 * either, so that no bound holds.
 */
export function watchMachine({ recorder, gateways }: { recorder: Recorder; gateways: readonly number[] }) {
  let lastAt = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    if (now - lastAt > tickMs + lateMs)
      recorder.record({
        event: 'fault',
        name: 'the machine is busy',
        part: 'machine',
        beganAt: lastAt - reserveMs,
        endedAt: now,
        cutsFeed: gateways,
        cutsStream: gateways,
      })
    lastAt = now
  }, tickMs)
  return { stop: () => clearInterval(timer) }
}

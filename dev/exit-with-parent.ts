import { isMainThread } from 'node:worker_threads'

/**
 * Preloaded into each service that `startService` runs. The channel to the starter closes when the
 * starter is gone, also after a SIGKILL; the service then stops as SIGTERM would have it stop.
 */
if (isMainThread) {
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The channel alone keeps no service alive.
  process.channel?.unref()
}

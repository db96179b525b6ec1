import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

interface ServiceOptions {
  name: string
  /** The file that Node runs. */
  entry: string
  environment: NodeJS.ProcessEnv
  /** Answers as soon as the service listens. */
  liveUrl: string
  /** Told how a service ended that nobody had stopped. */
  onUnexpectedEnd: (how: string) => void
}

const endWithStarter = new URL('exit-with-parent.ts', import.meta.url).href

const startTimeoutMs = 30_000
const pollMs = 50

/**
 * Runs a service as a process of its own, as production does. The service ends when this process
 * does, however that happens.
 *
 * `listening` rejects where it ends before, or does not listen in time; it has said why on its own
 * output. `stop` may be called at any time.
 */
export function startService({ name, entry, environment, liveUrl, onUnexpectedEnd }: ServiceOptions) {
  // In a group of its own: a Ctrl-C reaches us alone, so that we stop gateway, origin and database
  // in this order.
  const child = spawn(process.execPath, ['--import', endWithStarter, entry], {
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    detached: true,
  })
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  let stopping = false

  async function untilListening() {
    const deadline = performance.now() + startTimeoutMs
    while (!(await responds(liveUrl))) {
      if (hasEnded()) throw new Error(`${name} did not start.`)
      if (performance.now() > deadline)
        throw new Error(`${name} did not listen within ${startTimeoutMs / 1000} s.`)
      await sleep(pollMs)
    }
    void ended.then(([code, signal]) => {
      if (!stopping) onUnexpectedEnd(signal ?? `exit code ${code}`)
    })
  }

  return {
    listening: untilListening(),
    async stop() {
      stopping = true
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function responds(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}

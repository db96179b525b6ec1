import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

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

const startTimeoutMs = 30_000
const pollMs = 50

/**
 * Runs a service as a process of its own, as production does, and waits until it listens.
 *
 * @throws Error where it ends or does not listen in time; it has said why on its own output
 */
export async function startService({ name, entry, environment, liveUrl, onUnexpectedEnd }: ServiceOptions) {
  // In a group of its own: a Ctrl-C reaches us alone, so that we stop gateway, origin and database in this order.
  const child = spawn(process.execPath, [entry], {
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  let stopping = false
  let listening = false
  ended.then(([code, signal]) => {
    if (listening && !stopping) onUnexpectedEnd(signal ?? `exit code ${code}`)
  })

  const deadline = performance.now() + startTimeoutMs
  while (!(await answers(liveUrl))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} did not start.`)
    if (performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`${name} did not listen within ${startTimeoutMs / 1000} s.`)
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  listening = true

  return {
    async stop() {
      stopping = true
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}

/** @throws Error where something listens there already */
export async function requireFreePort(host: string, port: number): Promise<void> {
  const server = createServer()
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    throw new Error(`Port ${port} on ${host} is not free (${(error as NodeJS.ErrnoException).code}).`)
  }
  server.close()
  await once(server, 'close')
}

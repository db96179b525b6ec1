import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ChildServerOptions {
  command: string
  args: string[]
  /** A folder of this server's own, removed if we die before the server. */
  folder: string
  env?: NodeJS.ProcessEnv
  user?: SystemUser | undefined
  /** Signal on which the server ends at once. */
  endSignal: NodeJS.Signals
  /** Resolves when the server answers a client, rejects as long as it does not. */
  ping: () => Promise<void>
}

export interface SystemUser {
  uid: number
  gid: number
}

export interface ChildServer {
  pid: number
  signal(name: NodeJS.Signals): void
  /** Resolves when the process has ended, for whatever reason. */
  exited: Promise<unknown>
  /** Resolves when the process is gone. */
  end(): Promise<void>
}

/**
 * How long a server may take until it answers; a PostgreSQL on a busy machine needs some seconds.
 */
const startTimeoutMs = 30_000
const pingIntervalMs = 20

/**
 * The end of its input means that the parent has gone: the guard ends the server, waits some
 * seconds, and removes the folder. A server that the parent paused goes on first, with its
 * children. A line on its input says that nothing is left to do.
 */
const guardScript = `
read -r line && exit
pkill -CONT -P "$1"
kill -s CONT "$1"
kill -s "$2" "$1"
tries=0
while kill -0 "$1" && [ "$((tries += 1))" -lt 100 ]; do sleep 0.1; done
rm -rf "$3"
`

/**
 * Starts a server as a child process and waits until it answers.
 *
 * @throws Error with the server's own words where it ends before, or does not answer in 30 s
 */
export async function startChildServer(options: ChildServerOptions): Promise<ChildServer> {
  const logFile = join(options.folder, 'server.log')
  const log = openSync(logFile, 'a')
  const child = spawn(options.command, options.args, {
    cwd: options.folder,
    env: options.env ?? process.env,
    stdio: ['ignore', log, log],
    ...options.user,
  })
  closeSync(log)
  await once(child, 'spawn')
  const exited = new Promise((resolve) => child.once('exit', resolve))
  const pid = child.pid as number
  const dismissGuard = startGuard(pid, options)
  void exited.then(dismissGuard)

  function signal(name: NodeJS.Signals) {
    child.kill(name)
  }

  async function end() {
    signal(options.endSignal)
    await exited
  }

  const deadline = Date.now() + startTimeoutMs
  for (;;) {
    const failure = await options.ping().then(
      () => undefined,
      (error: unknown) => error,
    )
    if (failure === undefined) return { pid, signal, exited, end }
    const ended = child.exitCode !== null || child.signalCode !== null
    if (ended || Date.now() > deadline) {
      await end()
      const reason = ended
        ? `ended with ${child.exitCode ?? child.signalCode}`
        : `does not answer: ${failure}`
      throw new Error(`${options.command} ${reason}\n${await readFile(logFile, 'utf8')}`)
    }
    await sleep(pingIntervalMs)
  }
}

/** In a process group of its own, so that Ctrl-C does not reach it. */
function startGuard(pid: number, { endSignal, folder }: ChildServerOptions): () => void {
  const signalName = endSignal.replace('SIG', '')
  const guard = spawn('/bin/sh', ['-c', guardScript, 'guard', `${pid}`, signalName, folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.unref()
  return () => guard.stdin.end('done\n')
}

import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../../shared/lib/log.ts'
import { processVariable } from '../../../../shared/node/process-number.ts'
import { type Answers, type Calls, createCalls } from './process-calls.ts'
import { failuresAfter, maxFailures, restartDelayMs } from './restarts.ts'

/** One of the processes, which keeps its number when it is replaced. */
export interface ProcessEntry {
  readonly number: number
  pid: number | undefined
  /** Since when it serves, by the clock of `performance`; undefined while it does not. */
  servesSinceMs: number | undefined
  /** Ends without 60 s of service, in a row. */
  failures: number
  restarts: number
  worker: Worker | undefined
  ask: Calls['ask'] | undefined
}

interface ProcessTableOptions {
  count: number
  /** Answers to questions of the processes. */
  answers: Answers
  /** Time for all of them to drain. */
  stopMs: number
  /** Told before an entry is emptied. */
  onEnd: (entry: ProcessEntry) => void
  /** No process serves, and further starts would fail, too. @param code of the last that ended */
  giveUp: (code: number) => void
  log: Log
}

export type ProcessTable = ReturnType<typeof createProcessTable>

/** Starts the processes of a gateway, replaces those that end, and stops them all. */
export function createProcessTable({ count, answers, stopMs, onEnd, giveUp, log }: ProcessTableOptions) {
  cluster.schedulingPolicy = cluster.SCHED_RR
  // JSON has no infinity, which some metrics are.
  cluster.setupPrimary({ serialization: 'advanced' })

  const entries = Array.from(
    { length: count },
    (_, index): ProcessEntry => ({
      number: index + 1,
      pid: undefined,
      servesSinceMs: undefined,
      failures: 0,
      restarts: 0,
      worker: undefined,
      ask: undefined,
    }),
  )
  const timers = new Set<ReturnType<typeof setTimeout>>()
  const running = () => entries.flatMap(({ worker }) => worker ?? [])
  const serving = () => entries.filter(({ servesSinceMs }) => servesSinceMs !== undefined)
  /** Numbers of the processes that have served. */
  const started = new Set<number>()
  let isStopping = false

  /** Resolves when the process serves or has ended. */
  function start(entry: ProcessEntry): Promise<void> {
    const worker = cluster.fork({ [processVariable]: `${entry.number}/${count}` })
    const { ask, answerWith } = createCalls({
      on: (event, listener) => worker.on(event, listener),
      // Of a process that has ended; `exit` says so.
      send: (message) => void (worker.isConnected() && worker.send(message, () => {})),
    })
    answerWith(answers)
    entry.worker = worker
    entry.pid = worker.process.pid
    entry.ask = ask
    return new Promise((resolve) => {
      worker.once('listening', () => {
        entry.servesSinceMs = performance.now()
        started.add(entry.number)
        log.info({ process: entry.number, pid: entry.pid }, 'process serves')
        resolve()
      })
      worker.once('exit', (code, signal) => {
        replace(entry, code, signal)
        resolve()
      })
      worker.on('error', (error) => {
        log.error(
          { err: error, process: entry.number },
          worker.process.pid ? 'process failed' : 'process not started',
        )
        // The system had no room for a process, so no `exit` follows.
        if (worker.process.pid === undefined) replace(entry, null, null)
        resolve()
      })
    })
  }

  function replace(entry: ProcessEntry, code: number | null, signal: string | null): void {
    const { number, pid, servesSinceMs } = entry
    onEnd(entry)
    Object.assign(entry, { worker: undefined, pid: undefined, servesSinceMs: undefined, ask: undefined })
    if (isStopping) return
    const ended = { process: number, pid, ...(signal ? { signal } : { code }) }
    const servedMs = servesSinceMs === undefined ? undefined : performance.now() - servesSinceMs
    entry.failures = failuresAfter(entry.failures, servedMs)
    if (serving().length === 0 && (started.size === 0 || entry.failures >= maxFailures)) {
      log.error({ ...ended, failures: entry.failures }, 'process ended, and no other serves: giving up')
      giveUp(code || 1)
      return
    }
    const delayMs = restartDelayMs(entry.failures)
    log.error({ ...ended, failures: entry.failures, restart_ms: delayMs }, 'process ended')
    const timer = setTimeout(() => {
      timers.delete(timer)
      entry.restarts++
      void start(entry)
    }, delayMs)
    timers.add(timer)
  }

  return {
    entries: entries as readonly Readonly<ProcessEntry>[],

    /** Whether each process has served: before that the gateway is not ready. */
    hasStarted: () => started.size === count,

    /** Starts one first: what would end every process is reported once. */
    async start(): Promise<void> {
      const [first, ...others] = entries
      if (first) await start(first)
      if (isStopping) return
      await Promise.all(others.map(start))
    },

    /** @param name a signal for each process that serves */
    signal(name: NodeJS.Signals): void {
      for (const { worker } of serving()) worker?.process.kill(name)
    },

    /** Drains all of them at once. @returns how many had to be killed */
    async stop(): Promise<number> {
      isStopping = true
      for (const timer of timers) clearTimeout(timer)
      const workers = running()
      const ended = Promise.all(workers.map((worker) => once(worker, 'exit')))
      for (const worker of workers) worker.process.kill('SIGTERM')
      const deadline = new AbortController()
      await Promise.race([ended, sleep(stopMs, undefined, { signal: deadline.signal }).catch(() => {})])
      deadline.abort()
      const left = running()
      for (const worker of left) worker.process.kill('SIGKILL')
      await ended
      return left.length
    },
  }
}

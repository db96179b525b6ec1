import cluster from 'node:cluster'
import type { HealthCheck } from '../../../../shared/http/health.ts'
import { processNumber } from '../../../../shared/node/process-number.ts'
import { type Answers, answerMs, createCalls, type Message } from './process-calls.ts'

/** The processes that serve one port, as one of them sees them. */
export interface ProcessGroup {
  count: number
  /** Health of all of them, as the supervisor finds it. */
  health: () => Promise<HealthCheck>
  /** Answers the supervisor's questions. */
  answerWith: (answers: Answers) => void
}

/** The supervisor first waits for other processes itself. */
const healthMs = answerMs + 500

/**
 * The group of this process; undefined where it serves alone.
 *
 * @param stopMs time to drain once the supervisor has gone
 */
export function joinProcessGroup(stopMs: number): ProcessGroup | undefined {
  const { worker } = cluster
  if (!worker || !processNumber) return undefined
  worker.once('disconnect', () => {
    // Only a supervisor that died closes the channel. Node would exit at once and cut requests.
    worker.exitedAfterDisconnect = true
    process.kill(process.pid, 'SIGTERM')
    // A process that still waits for the port gets no answer, and would wait for ever.
    setTimeout(() => process.exit(1), stopMs)
  })
  const { ask, answerWith } = createCalls({
    on: (event, listener) => process.on(event, listener),
    send(message: Message) {
      // A failed call is the other end's: it learns of it by the missing answer.
      process.send?.(message, undefined, undefined, () => {})
    },
  })
  return {
    count: processNumber.count,
    answerWith,
    // New connections come through the supervisor, so a silent one is a failure.
    health: () =>
      ask<HealthCheck>('health', healthMs).catch(() => ({ status: 'fail', detail: 'supervisor silent' })),
  }
}

import { type ErrorCode, logEntryOf, Problem } from '../../shared/http/errors.ts'
import type { LoggedRequest } from '../../shared/http/request-log.ts'
import type { Log } from '../../shared/lib/log.ts'
import { TransportError } from '../ports.ts'

const transportCodes = {
  unreachable: 'upstream_unreachable',
  timeout: 'upstream_timeout',
  client_left: 'client_closed_request',
} as const satisfies Record<TransportError['reason'], ErrorCode>

/** The problem that stands for an error in a response. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof TransportError)
    return new Problem(transportCodes[error.reason], { cause: error.cause })
  return new Problem('internal_error', { cause: error })
}

/** Logs the cause, which the client does not see. */
export function logProblem(log: Log, problem: Problem, { requestId, traceId }: LoggedRequest): void {
  const entry = logEntryOf(problem)
  if (!entry) return
  const fields = { request_id: requestId, trace_id: traceId, code: problem.code, err: problem.cause }
  log[entry.level](fields, entry.message)
}

import { type ErrorCode, Problem } from '../../shared/http/errors.ts'
import type { LoggedRequest } from '../../shared/http/request-log.ts'
import type { Log } from '../../shared/lib/log.ts'
import { TransportError } from '../ports.ts'

const transportCodes = {
  unreachable: 'upstream_unreachable',
  timeout: 'upstream_timeout',
  client_left: 'client_closed_request',
} as const satisfies Record<TransportError['reason'], ErrorCode>

/** What an error is to the client. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof TransportError)
    return new Problem(transportCodes[error.reason], { cause: error.cause })
  return new Problem('internal_error', { cause: error })
}

/** Tells the log what the client is not told. */
export function logRefusal(log: Log, problem: Problem, { requestId, traceId }: LoggedRequest): void {
  const fields = { request_id: requestId, trace_id: traceId, code: problem.code, err: problem.cause }
  if (problem.code === 'overloaded') log.warn(fields, 'request shed')
  // A fault of the deployment that no client can repair, whatever the status says.
  else if (problem.code === 'client_address_unknown') log.error(fields, 'client address unknown')
  else if (problem.status >= 500) log.error(fields, 'request failed')
  else if (problem.cause !== undefined) log.info(fields, 'request refused')
}

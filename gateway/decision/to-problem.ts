import { type ErrorCode, Problem } from '../../shared/http/errors.ts'
import { toProblem as toSharedProblem } from '../../shared/http/report-error.ts'
import { TransportError } from '../ports.ts'

const transportCodes = {
  unreachable: 'upstream_unreachable',
  timeout: 'upstream_timeout',
  client_left: 'client_closed_request',
} as const satisfies Record<TransportError['reason'], ErrorCode>

/** The problem that an error of the gateway becomes. */
export function toProblem(error: unknown): Problem {
  return error instanceof TransportError
    ? new Problem(transportCodes[error.reason], { cause: error.cause })
    : toSharedProblem(error)
}

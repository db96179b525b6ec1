import type { Log } from '../lib/log.ts'
import { type LogEntry, logEntryOf, Problem } from './errors.ts'
import type { LoggedRequest, MatchedRoute } from './request-lifecycle.ts'

/** The problem that an error becomes where no service recognizes its kind. */
export function toProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem('internal_error', { cause: error })
}

interface ErrorReporterOptions {
  log: Log
  /** Recognizes the errors of a service. */
  toProblem?: (error: unknown) => Problem
  /** Called for each error. */
  onProblem?: ((problem: Problem) => void) | undefined
}

/** A request, whose route becomes that of the row that rejected it. */
type FailedRequest = LoggedRequest & { route: MatchedRoute | undefined }

/** Turns an error into the problem that the client gets, and logs its cause, which it does not. */
export function createErrorReporter({
  log,
  toProblem: convert = toProblem,
  onProblem,
}: ErrorReporterOptions) {
  return function reportError(error: unknown, request: FailedRequest): Problem {
    const problem = convert(error)
    request.route = problem.route ?? request.route
    onProblem?.(problem)
    const entry = logEntryOf(problem)
    if (entry) logRejection(log, entry, problem, request)
    return problem
  }
}

export type ReportError = ReturnType<typeof createErrorReporter>

/** One line, with the code that the client got and the cause that it did not. */
export function logRejection(
  log: Log,
  { level, message }: LogEntry,
  { code, cause }: { code: string; cause?: unknown },
  { requestId, traceId }: LoggedRequest,
): void {
  const reason = cause instanceof Error ? { err: cause } : { reason: cause }
  log[level]({ request_id: requestId, trace_id: traceId, code, ...reason }, message)
}

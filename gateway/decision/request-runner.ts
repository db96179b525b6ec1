import type { Problem } from '../../shared/http/errors.ts'
import type { ReportError } from '../../shared/http/report-error.ts'
import type { RequestLifecycle } from '../../shared/http/request-lifecycle.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { Admission } from './admission.ts'
import type { Decide } from './decide.ts'
import type { RequestInfo } from './decision-context.ts'

/** One request of a runtime, with the operations that differ between runtimes. */
export interface RuntimeRequest<Result> {
  readonly lifecycle: RequestLifecycle
  /** Reads the head, and begins the lifecycle with it. @throws Problem */
  readInfo(): RequestInfo
  /** Whether the client left before its response. */
  hasLeft(): boolean
  /** Whether the runtime has sent a response of its own, such as to a body that it cannot read. */
  isAnswered(): boolean
  /** Forwards an admitted request. Throws or rejects with the error of a failed request. */
  forward(admission: Admission): Awaitable<Result>
  /** Responds with the problem. */
  reject(problem: Problem): Result
}

interface RequestRunnerOptions {
  decide: Decide
  reportError: ReportError
}

/**
 * The course of a proxied request, the same on every runtime: it is decided, then forwarded or
 * rejected. Its lifecycle gets the admission, and releases it when the runtime ends the request.
 */
export function createRequestRunner({ decide, reportError }: RequestRunnerOptions) {
  function admit<Result>(
    request: RuntimeRequest<Result>,
    admission: Admission,
  ): Awaitable<Result | undefined> {
    if (request.hasLeft() || request.isAnswered()) {
      admission.release(499)
      return undefined
    }
    const { lifecycle } = request
    lifecycle.route = admission.decision.row
    lifecycle.held = admission
    try {
      const forwarded = request.forward(admission)
      return forwarded instanceof Promise ? forwarded.catch((error) => fail(request, error)) : forwarded
    } catch (error) {
      return fail(request, error)
    }
  }

  /** Logs and counts an error of a request, and responds with its problem. */
  function fail<Result>(request: RuntimeRequest<Result>, error: unknown): Result | undefined {
    return request.isAnswered() ? undefined : request.reject(reportError(error, request.lifecycle))
  }

  /** @returns undefined where the client left, or was answered, while its request was decided */
  function run<Result>(request: RuntimeRequest<Result>): Awaitable<Result | undefined> {
    try {
      const decided = decide(request.readInfo())
      return decided instanceof Promise
        ? decided.then(
            (admission) => admit(request, admission),
            (error) => fail(request, error),
          )
        : admit(request, decided)
    } catch (error) {
      return fail(request, error)
    }
  }

  return { run, fail }
}

export type RequestRunner = ReturnType<typeof createRequestRunner>

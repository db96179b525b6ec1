import type { ErrorCode } from '../http/errors.ts'

/**
 * Rejections of an attempt whose secret was right, or was not evaluated. They count against no
 * limit of failures: a client could not do the step-up that they ask for.
 */
const codes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'mfa_required',
  'session_ended',
  'step_up_required',
])

export const isWithoutFailure = (code: ErrorCode): boolean => codes.has(code)

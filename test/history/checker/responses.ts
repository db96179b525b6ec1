import type { Operation } from '../history.ts'
import type { Violation } from './violation.ts'

const internalFailures = [502, 503, 504]

/** Checks each response by itself: internal failures are 502, 503 or 504, and say when to retry. */
export function checkResponses(operations: readonly Operation[]): Violation[] {
  return operations.flatMap((operation) => {
    const rule = brokenRule(operation)
    if (rule === undefined) return []
    const { account, id } = operation
    return [{ invariant: 'I5' as const, rule, account, operation: id }]
  })
}

function brokenRule(operation: Operation): string | undefined {
  const { status = 0, code, retryAfter, account, returnedAccount } = operation
  if (returnedAccount !== undefined && returnedAccount !== account)
    return 'a response names the account of its token'
  if (status < 400) return undefined
  if (code === undefined) return 'a rejection is problem+json with a code'
  if (status < 500) return undefined
  if (!internalFailures.includes(status)) return 'an internal failure is 502, 503 or 504'
  return /^\d+$/.test(retryAfter ?? '') ? undefined : 'an internal failure has Retry-After'
}

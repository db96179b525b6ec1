import type { RefinedResponse } from 'k6/http'
import { codeOf } from './frontend.ts'

let failures = 0

/** Of each VU the first few, so that a run that fails says why without drowning it. */
export function logFailure(what: string, answer: RefinedResponse<'text'>): void {
  if (++failures > 2) return
  // biome-ignore lint/suspicious/noConsole: it is k6's log
  console.warn(`${what} answered ${answer.status} ${codeOf(answer) ?? answer.error}`)
}

import { Problem } from '../../shared/http/errors.ts'
import type { RawHeaders } from '../../shared/http/headers.ts'
import { assertionScheme } from '../../shared/http/headers.ts'

/**
 * Rejection of a request whose upstream did not accept the gateway's assertion. Clocks, keys or
 * names of the two services differ; a 401 would make the client drop valid tokens.
 */
export class AssertionRejected extends Problem {
  /** Name in the policy table. */
  readonly upstream: string

  constructor(upstream: string) {
    super('assertion_refused', {
      cause: new Error(
        `${upstream} refuses the gateway's assertion: compare clocks, assertion keys and upstream names`,
      ),
    })
    this.upstream = upstream
  }
}

const challenge = new RegExp(`(?:^|,)\\s*${assertionScheme}(?:[\\s,]|$)`, 'i')

/**
 * Whether the upstream rejected the assertion: a 401 with a challenge of its scheme.
 *
 * @param headers names and values in turn
 */
export function isAssertionRejected(status: number, headers: Readonly<RawHeaders>): boolean {
  if (status !== 401) return false
  return headers.some(
    (name, i) =>
      i % 2 === 0 && name.toLowerCase() === 'www-authenticate' && challenge.test(headers[i + 1] as string),
  )
}

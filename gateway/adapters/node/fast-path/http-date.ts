import type { EpochMs, EpochSeconds } from '../../../../shared/lib/time.ts'

let second: EpochSeconds = Number.NaN
let text = ''

/** Value of the Date header (RFC 9110, section 5.6.7), formatted once per second. */
export function httpDate(now: EpochMs): string {
  const at = Math.floor(now / 1000)
  if (at !== second) {
    second = at
    text = new Date(now).toUTCString()
  }
  return text
}

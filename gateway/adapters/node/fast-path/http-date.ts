let second = Number.NaN
let text = ''

/**
 * Value of the Date header (RFC 9110, section 5.6.7), formatted once per second.
 *
 * @param now milliseconds since 1970
 */
export function httpDate(now: number): string {
  const at = Math.floor(now / 1000)
  if (at !== second) {
    second = at
    text = new Date(now).toUTCString()
  }
  return text
}

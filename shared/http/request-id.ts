const acceptable = /^[A-Za-z0-9._-]{8,128}$/

/** The caller's request id if it is safe for logs, else a new one. */
export function requestIdFrom(given: string | null | undefined): string {
  return given && acceptable.test(given) ? given : crypto.randomUUID()
}

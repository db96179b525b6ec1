/**
 * Why Redis does not do what it is asked, in words fit for the public: of a rejection the first
 * word is its code, such as OOM, READONLY, NOPERM or MISCONF, and the rest may name keys and users.
 */
export function redisFailure(error: unknown): string {
  const code = error instanceof Error && error.name === 'ReplyError' && /^[A-Z]+\b/.exec(error.message)?.[0]
  return code ? `redis refuses with ${code}` : 'redis does not answer'
}

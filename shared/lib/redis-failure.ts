/**
 * Public reason of a Redis failure. Only the code of an error reply is used (OOM, READONLY, NOPERM,
 * MISCONF), as the rest may name keys and users.
 */
export function redisFailure(error: unknown): string {
  const code = error instanceof Error && error.name === 'ReplyError' && /^[A-Z]+\b/.exec(error.message)?.[0]
  return code ? `redis refuses with ${code}` : 'redis does not answer'
}

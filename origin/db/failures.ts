import postgres from 'postgres'

/** Why the database cannot serve a statement right now. Each has a remedy of its own. */
export type DatabaseFailure = 'unreachable' | 'read_only' | 'locked' | 'slow' | 'exhausted' | 'conflict'

/** SQLSTATE classes and codes that say "not now", not "wrong". */
const failuresByState: readonly [RegExp, DatabaseFailure][] = [
  [/^25006$/, 'read_only'],
  [/^55P03$/, 'locked'],
  [/^57014$/, 'slow'],
  [/^53/, 'exhausted'],
  [/^(40001|40P01)$/, 'conflict'],
  [/^(08|57|58)/, 'unreachable'],
]

/**
 * FATAL rejects or ends the connection for any reason: unknown database, unknown user, starting up.
 */
const connectionEnding = new Set(['FATAL', 'PANIC'])

/** Error codes of postgres.js and Node for a server that cannot be reached. */
const unreachableCodes = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'DATABASE_CONNECT_FAILED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
])

/** @returns undefined for an error that a retry does not change */
export function databaseFailureOf(error: unknown): DatabaseFailure | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return undefined
  const { code } = error
  if (!(error instanceof postgres.PostgresError))
    return unreachableCodes.has(code) ? 'unreachable' : undefined
  const [, failure] = failuresByState.find(([states]) => states.test(code)) ?? []
  return failure ?? (connectionEnding.has(error.severity) ? 'unreachable' : undefined)
}

/**
 * Whether the database is temporarily unavailable, so that a retry may succeed.
 */
export const isDatabaseUnavailable = (error: unknown) => databaseFailureOf(error) !== undefined

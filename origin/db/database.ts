import postgres from 'postgres'
import type { Log } from '../../shared/lib/log.ts'
import { surviveLostConnections } from './transactions.ts'
import type { Sql } from './types.ts'

interface DatabaseOptions {
  url: string
  poolMax: number
  idleSeconds: number
  connectSeconds: number
  statementSeconds: number
  log: Log
}

/**
 * How long closing the pool waits for open queries, of which there are none when all requests are
 * done. Without a limit postgres.js waits for ever for a connection that the server ended under a
 * query.
 */
export const closeSeconds = 2

export function createDatabase(options: DatabaseOptions): Sql {
  const sql = postgres(options.url, {
    max: options.poolMax,
    idle_timeout: options.idleSeconds,
    connect_timeout: options.connectSeconds,
    connection: { application_name: 'gatehouse', statement_timeout: options.statementSeconds * 1000 },
    onnotice: ({ message }) => options.log.debug({ message }, 'database notice'),
  })
  return surviveLostConnections(sql)
}

/** One connection with the usual limits, for a command that a person runs. */
export function createCommandDatabase(url: string, log: Log): Sql {
  return createDatabase({ url, poolMax: 1, idleSeconds: 5, connectSeconds: 10, statementSeconds: 30, log })
}

/**
 * Postgres error classes that say "not now", not "wrong": connection, resources, operator, system,
 * read-only.
 */
const unavailableStates = /^(08|53|57|58)|^25006$|^40001$|^40P01$/

/**
 * FATAL refuses or ends the connection, whatever the reason: no database of that name, no such
 * user, not accepting.
 */
const connectionEnding = new Set(['FATAL', 'PANIC'])

/** What postgres.js and Node say where the server cannot be reached. */
const unavailableCodes = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
])

/**
 * Whether an error means that the database cannot serve us right now, so that a retry may succeed.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return false
  if (error instanceof postgres.PostgresError)
    return connectionEnding.has(error.severity) || unavailableStates.test(error.code)
  return unavailableCodes.has(error.code)
}

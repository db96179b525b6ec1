import postgres from 'postgres'
import type { Log } from '../shared/log.ts'

export type Sql = postgres.Sql<Record<string, never>>
export type Transaction = postgres.TransactionSql<Record<string, never>>

/** Where a query may run: on the pool, or inside a transaction. */
export type Queryable = Sql | Transaction

interface DatabaseOptions {
  url: string
  poolMax: number
  idleSeconds: number
  connectSeconds: number
  statementSeconds: number
  log: Log
}

export function createDatabase(options: DatabaseOptions): Sql {
  return postgres(options.url, {
    max: options.poolMax,
    idle_timeout: options.idleSeconds,
    connect_timeout: options.connectSeconds,
    connection: { application_name: 'gatehouse', statement_timeout: options.statementSeconds * 1000 },
    onnotice: ({ message }) => options.log.debug({ message }, 'database notice'),
  })
}

/** Postgres error classes that say "not now", not "wrong": connection, resources, operator, system, read-only. */
const unavailableStates = /^(08|53|57|58)|^25006$|^40001$|^40P01$/

/** What postgres.js and Node say where the server cannot be reached. */
const unavailableCodes = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'ETIMEDOUT',
])

/** Whether an error means that the database cannot serve us right now, so that a retry may succeed. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return false
  return (
    unavailableCodes.has(error.code) || (error.name === 'PostgresError' && unavailableStates.test(error.code))
  )
}

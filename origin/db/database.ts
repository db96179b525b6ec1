import postgres from 'postgres'
import type { Log } from '../../shared/lib/log.ts'
import { createConnector, driverOptions } from './connection/create-connector.ts'
import { surviveLostConnections } from './transactions.ts'
import type { Sql } from './types.ts'

interface DatabaseOptions {
  url: string
  poolMax: number
  idleSeconds: number
  /** At this age, less up to a fifth at random, a connection is replaced when it is idle. */
  connectionSeconds?: number
  connectSeconds: number
  statementSeconds: number
  /** How long a statement may wait for a lock. */
  lockSeconds?: number
  log?: Log
}

/**
 * How long closing the pool waits for open queries; after all requests none is left. Without a
 * limit postgres.js waits for ever for a connection that the server ended during a query.
 */
export const closeSeconds = 2

/** Later than the server's own deadline, which leaves the connection usable. */
const silenceSecondsFor = (statementSeconds: number) =>
  statementSeconds + Math.min(5, Math.max(1, statementSeconds / 6))

/** Idle connections to a host that is gone are found in this time and ten probes of a second. */
const keepAliveSeconds = 10

const longestBackoffSeconds = 1

/** Doubles from 50 ms; random, so that origins do not come back in step. */
const backoff = (retries: number) =>
  (0.5 + Math.random() / 2) * Math.min(longestBackoffSeconds, 0.05 * 2 ** retries)

/**
 * What the origin and its driver rely on, whatever the server, the database or the role have. The
 * first five decide how values are written and read.
 */
const sessionSettings = {
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
} as const

export function createDatabase(options: DatabaseOptions): Sql {
  const { url, poolMax, idleSeconds, connectSeconds, statementSeconds, log } = options
  const { connectionSeconds = 1800, lockSeconds = 5 } = options
  const { target, connect } = createConnector({
    url,
    connectSeconds,
    silenceSeconds: silenceSecondsFor(statementSeconds),
  })
  const sql = postgres(
    driverOptions(
      { target, connect, connectionSeconds },
      {
        max: poolMax,
        idle_timeout: idleSeconds,
        connect_timeout: connectSeconds,
        keep_alive: keepAliveSeconds,
        backoff,
        connection: {
          ...sessionSettings,
          statement_timeout: statementSeconds * 1000,
          lock_timeout: lockSeconds * 1000,
          // A process that pauses in a transaction keeps its locks no longer than a statement.
          idle_in_transaction_session_timeout: statementSeconds * 1000,
        },
        onnotice: ({ message }) => log?.debug({ message }, 'database notice'),
      },
    ),
  )
  return surviveLostConnections(sql)
}

/** One connection with the usual limits, for a command. */
export function createCommandDatabase(url: string, log: Log): Sql {
  return createDatabase({ url, poolMax: 1, idleSeconds: 5, connectSeconds: 10, statementSeconds: 30, log })
}

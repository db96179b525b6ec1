import postgres from 'postgres'
import { parseDatabaseUrl } from '../../shared/database-url.ts'
import type { Log } from '../../shared/lib/log.ts'
import { createConnector, driverOptions } from './connection/create-connector.ts'
import { sessionSettings } from './session-settings.ts'
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

/**
 * Later than the server's own deadline, which leaves the connection usable. Behind a pooler in
 * transaction mode the server has none.
 */
const silenceSecondsFor = (statementSeconds: number, isPooled: boolean) =>
  isPooled ? statementSeconds : statementSeconds + Math.min(5, Math.max(1, statementSeconds / 6))

/** Idle connections to a host that is gone are found in this time and ten probes of a second. */
const keepAliveSeconds = 10

const maxBackoffSeconds = 1

/** Doubles from 50 ms; random, so that origins do not come back in step. */
const backoff = (retries: number) =>
  (0.5 + Math.random() / 2) * Math.min(maxBackoffSeconds, 0.05 * 2 ** retries)

export function createDatabase(options: DatabaseOptions): Sql {
  const { url, poolMax, idleSeconds, connectSeconds, statementSeconds, log } = options
  const { connectionSeconds = 1800, lockSeconds = 5 } = options
  const { isTransactionPooler: isPooled } = parseDatabaseUrl(url)
  const { target, connect } = createConnector({
    url,
    connectSeconds,
    silenceSeconds: silenceSecondsFor(statementSeconds, isPooled),
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
        prepare: !isPooled,
        connection: sessionSettings({ statementSeconds, lockSeconds }, isPooled),
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

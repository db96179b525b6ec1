import postgres from 'postgres'
import type { Sql, Transaction } from './types.ts'

type Work = (transaction: Transaction) => unknown
type Begin = (options: string, work: Work) => Promise<unknown>

/** Error codes of a query whose connection is lost. */
const lostCodes = new Set(['CONNECTION_CLOSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])

function saysConnectionLost(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return error.severity === 'FATAL' || error.severity === 'PANIC'
  return error instanceof Error && 'code' in error && lostCodes.has(String(error.code))
}

/**
 * Makes `begin` survive the loss of its connection. postgres.js 3.4.9 sends its ROLLBACK or COMMIT
 * all the same, and writing to a closed socket throws an error that cannot be caught and ends the
 * process (porsager/postgres#1208). This function sends neither: the transaction ends with its
 * connection, and `begin` rejects when the connection closes.
 *
 * The race we accept: a transaction that waits for something other than the database can then write
 * to a socket that was closed meanwhile. Ours wait for nothing else before their last statement.
 */
export function surviveLostConnections(sql: Sql): Sql {
  const begin = sql.begin as Begin

  function guardedBegin(...given: [Work] | [string, Work]): Promise<unknown> {
    const [options, work] = given.length === 1 ? ['', given[0]] : given
    let lost = false
    const ended = begin(options, async (transaction) => {
      try {
        const result = await work(transaction)
        if (!lost) return result
      } catch (error) {
        if (!lost && !saysConnectionLost(error)) throw error
      }
      return new Promise<never>(() => {})
    })
    ended.catch(() => {
      lost = true
    })
    return ended
  }

  sql.begin = guardedBegin as typeof sql.begin
  return sql
}

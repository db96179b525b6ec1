import { type DatabaseFailure, databaseFailureOf } from '../db/failures.ts'
import type { Sql, Transaction } from '../db/types.ts'

/** One query that has ended, well or not. */
export interface MeasuredQuery {
  /** What it does, in a word or two: of these there are as many as the code has. */
  statement: string
  /** From being sent off to its answer; the wait for a connection is part of it. */
  seconds: number
  failed: boolean
  /** Why, where the database could not serve it right now. */
  failure?: DatabaseFailure | undefined
  /** As it stands in the code: each value is a question mark, so that it can be logged. */
  text: () => string
}

export interface PoolLoad {
  /** Connections. */
  max: number
  /** Connections that work: each transaction has one, each query outside of one another. */
  inUse: number
  /** Queries and transactions that wait for a connection, or on one behind somebody else. */
  waiting: number
}

/** What a promise's `then` is, as far as it matters here. */
type Then = (fulfilled?: (value: unknown) => unknown, rejected?: (reason: unknown) => unknown) => unknown

type Work = (transaction: Transaction) => unknown
type Begin = (options: string, work: Work) => Promise<unknown>

/**
 * The same database, whose queries are measured. postgres.js tells nobody how long a query took or
 * how full its pool is (porsager/postgres#443), so this counts what goes in and what comes out. The
 * library's own BEGIN and COMMIT are not queries of ours.
 *
 * The error that this accepts: of queries that share a connection, which postgres.js lets them do
 * when all are taken, some may still count as using one each when others have become free.
 */
export function measureQueries(sql: Sql, onQuery: (query: MeasuredQuery) => void) {
  let inProgress = 0

  /** A query runs when somebody waits for it; a fragment is one for which nobody does. */
  function measure(query: Promise<unknown>, strings: TemplateStringsArray, isAlone: boolean): void {
    const run = query.then as Then
    const place = placeOf(strings)
    let isRunning = false
    const then: Then = (...handlers) => {
      if (!isRunning) {
        isRunning = true
        const startedAt = performance.now()
        if (isAlone) inProgress++
        const end = (failed: boolean, failure?: DatabaseFailure) => {
          if (isAlone) inProgress--
          const seconds = (performance.now() - startedAt) / 1000
          onQuery({ statement: statementOf(strings), seconds, failed, failure, text: () => textOf(strings) })
        }
        run.call(
          query,
          () => end(false),
          (error) => {
            end(true, databaseFailureOf(error))
            addPlace(error, place)
          },
        )
      }
      return run.apply(query, handlers)
    }
    Object.assign(query, { then })
  }

  function measured<Tag extends Sql | Transaction>(tag: Tag, isAlone: boolean): Tag {
    return new Proxy(tag, {
      apply(target, self, given: unknown[]) {
        const made = Reflect.apply(target as unknown as () => unknown, self, given)
        if (made instanceof Promise) measure(made, given[0] as TemplateStringsArray, isAlone)
        return made
      },
      get: (target, property) => (property === 'begin' ? begin : Reflect.get(target, property)),
    })
  }

  async function begin(...given: [Work] | [string, Work]): Promise<unknown> {
    const [options, work] = given.length === 1 ? ['', given[0]] : given
    inProgress++
    try {
      return await (sql.begin as Begin)(options, (transaction) => work(measured(transaction, false)))
    } finally {
      inProgress--
    }
  }

  const { max } = sql.options
  return {
    sql: measured(sql, true),
    load: (): PoolLoad => ({
      max,
      inUse: Math.min(inProgress, max),
      waiting: Math.max(0, inProgress - max),
    }),
  }
}

const places = new WeakMap<TemplateStringsArray, string>()

/**
 * Where a query stands in the code: postgres.js keeps four frames of that, and they would all be
 * its own and ours.
 */
function placeOf(strings: TemplateStringsArray): string {
  const known = places.get(strings)
  if (known !== undefined) return known
  const frames = new Error().stack?.split('\n').slice(frameOfCaller, frameOfCaller + 2) ?? []
  const place = frames.map((frame) => `\n${frame}`).join('')
  places.set(strings, place)
  return place
}

/** Below the error's own line: `placeOf`, `measure` and the proxy's `apply`. */
const frameOfCaller = 4

function addPlace(error: unknown, place: string): void {
  if (error instanceof Error) Object.defineProperty(error, 'stack', { value: `${error.stack}${place}` })
}

/** The first words, as far as they are in the code: `insert into audit_logs`, `select`, `with`. */
const firstWords = /^\s*((?:insert into|update|delete from|merge into) [a-z_]+|[a-z]+)/

const statements = new WeakMap<TemplateStringsArray, string>()

function statementOf(strings: TemplateStringsArray): string {
  const known = statements.get(strings)
  if (known !== undefined) return known
  const statement = firstWords.exec(strings[0] ?? '')?.[1] ?? 'other'
  statements.set(strings, statement)
  return statement
}

const longestText = 500

const textOf = (strings: TemplateStringsArray) =>
  strings.join('?').replaceAll(/\s+/g, ' ').trim().slice(0, longestText)

import { type DatabaseFailure, databaseFailureOf } from '../db/failures.ts'
import type { Sql, Transaction } from '../db/types.ts'

/** A query that has succeeded or failed. */
export interface MeasuredQuery {
  /** The first words of the statement: a fixed set. */
  statement: string
  /** From sending to the result, the wait for a connection included. */
  seconds: number
  failed: boolean
  /** Why, where the database could not serve it right now. */
  failure?: DatabaseFailure | undefined
  /** The statement for the log, with a question mark for each value. */
  text: () => string
}

export interface PoolLoad {
  /** Connections. */
  max: number
  /** Busy connections: one for each transaction and for each query outside of one. */
  inUse: number
  /** Queries and transactions that wait for a connection or share one. */
  waiting: number
}

/** The part of a promise's `then` that matters here. */
type Then = (fulfilled?: (value: unknown) => unknown, rejected?: (reason: unknown) => unknown) => unknown

type Work = (transaction: Transaction) => unknown
type Begin = (options: string, work: Work) => Promise<unknown>

/**
 * Wraps a database to measure its queries. postgres.js reports neither the time of a query nor the
 * load of its pool (porsager/postgres#443), so the wrapper counts calls and results. BEGIN and
 * COMMIT of the library are not counted.
 *
 * The error we accept: when all connections are busy, postgres.js lets queries share one; some of
 * them may still count as busy when connections are free again.
 */
export function measureQueries(sql: Sql, onQuery: (query: MeasuredQuery) => void) {
  let inProgress = 0

  /** A query runs when it is awaited; a fragment never is. */
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
 * The call site of a query. postgres.js keeps four frames of the stack, which would all be its own
 * and the wrapper's.
 */
function placeOf(strings: TemplateStringsArray): string {
  const known = places.get(strings)
  if (known !== undefined) return known
  const frames = new Error().stack?.split('\n').slice(frameOfCaller, frameOfCaller + 2) ?? []
  const place = frames.map((frame) => `\n${frame}`).join('')
  places.set(strings, place)
  return place
}

/** Frames below the error's own line: `placeOf`, `measure` and the proxy's `apply`. */
const frameOfCaller = 4

function addPlace(error: unknown, place: string): void {
  if (error instanceof Error) Object.defineProperty(error, 'stack', { value: `${error.stack}${place}` })
}

/** The first words of a statement: `insert into audit_logs`, `select`, `with`. */
const firstWords = /^\s*((?:insert into|update|delete from|merge into) [a-z_]+|[a-z]+)/

const statements = new WeakMap<TemplateStringsArray, string>()

function statementOf(strings: TemplateStringsArray): string {
  const known = statements.get(strings)
  if (known !== undefined) return known
  const statement = firstWords.exec(strings[0] ?? '')?.[1] ?? 'other'
  statements.set(strings, statement)
  return statement
}

const maxStatementLength = 500

const textOf = (strings: TemplateStringsArray) =>
  strings.join('?').replaceAll(/\s+/g, ' ').trim().slice(0, maxStatementLength)

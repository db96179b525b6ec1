import type { Revocation } from '../../shared/auth/revocation.ts'
import type { Queryable, Sql, Transaction } from '../db/types.ts'

/** An entry as its statement wrote it; the publisher adds `until`. */
export type WrittenRevocation = Omit<Revocation, 'until'>

type Work = (transaction: Transaction) => unknown
type Begin = (options: string, work: Work) => Promise<unknown>

/** Revocations that open transactions publish when they commit. */
const pendingByTransaction = new WeakMap<Queryable, WrittenRevocation[]>()

/** Call it with what a statement wrote, in the transaction that wrote it. */
export function publishOnCommit(transaction: Queryable, entries: readonly WrittenRevocation[]): void {
  pendingByTransaction.get(transaction)?.push(...entries)
}

/**
 * Like `publishOnCommit`, for sessions or API keys: both are revoked by the id that is `sid` in
 * their tokens.
 *
 * @returns the ids
 */
export function publishSessionsOnCommit(
  transaction: Queryable,
  rows: readonly Pick<WrittenRevocation, 'subject' | 'at'>[],
): string[] {
  publishOnCommit(
    transaction,
    rows.map((row) => ({ ...row, scope: 'session', epoch: null })),
  )
  return rows.map(({ subject }) => subject)
}

/**
 * The same database, whose transactions publish their revocations right after they commit. The
 * relay, which publishes all rows of the table, is too late where the database is lost meanwhile.
 *
 * @param publish returns at once
 */
export function withPublishOnCommit(sql: Sql, publish: (entries: readonly WrittenRevocation[]) => void): Sql {
  async function begin(...given: [Work] | [string, Work]): Promise<unknown> {
    const [options, work] = given.length === 1 ? ['', given[0]] : given
    const entries: WrittenRevocation[] = []
    const result = await (sql.begin as Begin)(options, (transaction) => {
      pendingByTransaction.set(transaction, entries)
      return work(transaction)
    })
    if (entries.length > 0) publish(entries)
    return result
  }
  return new Proxy(sql, {
    get: (target, property) => (property === 'begin' ? begin : Reflect.get(target, property)),
  })
}

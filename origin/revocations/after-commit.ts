import type { Revocation } from '../../shared/auth/revocation.ts'
import type { Queryable, Sql, Transaction } from '../db/types.ts'

/** An entry as its statement wrote it; its life is the publisher's to add. */
export type WrittenRevocation = Omit<Revocation, 'until'>

type Work = (transaction: Transaction) => unknown
type Begin = (options: string, work: Work) => Promise<unknown>

/** Revocations of open transactions. */
const written = new WeakMap<Queryable, WrittenRevocation[]>()

/** Call it with what a statement wrote, in the transaction that wrote it. */
export function noteRevocations(transaction: Queryable, entries: readonly WrittenRevocation[]): void {
  written.get(transaction)?.push(...entries)
}

/**
 * The same database, whose transactions publish what they revoke right after their commit. The
 * relay publishes it once more, as it finds it in the table. But it needs the database for that,
 * which may be gone by then, and gateways that listen to the stream would go on without the entry.
 *
 * @param publish returns at once
 */
export function publishAfterCommit(sql: Sql, publish: (entries: readonly WrittenRevocation[]) => void): Sql {
  async function begin(...given: [Work] | [string, Work]): Promise<unknown> {
    const [options, work] = given.length === 1 ? ['', given[0]] : given
    const entries: WrittenRevocation[] = []
    const result = await (sql.begin as Begin)(options, (transaction) => {
      written.set(transaction, entries)
      return work(transaction)
    })
    if (entries.length > 0) publish(entries)
    return result
  }
  return new Proxy(sql, {
    get: (target, property) => (property === 'begin' ? begin : Reflect.get(target, property)),
  })
}

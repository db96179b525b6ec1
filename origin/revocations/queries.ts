import type { Revocation, RevocationFeed } from '../../shared/auth/revocation.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import type { Queryable, Transaction } from '../db/types.ts'

interface RevocationRow {
  scope: Revocation['scope']
  subject: string
  epoch: number | null
  at: EpochMs
}

export const withExpiry = (
  { scope, subject, epoch, at }: RevocationRow,
  lifeSeconds: number,
): Revocation => ({
  scope,
  subject,
  epoch,
  at,
  until: at + lifeSeconds * 1000,
})

/** As `EpochMs`, which a double holds exactly. */
export const atEpochMs = (sql: Queryable) => sql`floor(extract(epoch from created_at) * 1000)::float8 as at`

/**
 * The live entries of transactions from `after` on, and the next cursor.
 *
 * A cursor over ids would lose entries: a transaction that took its id earlier may commit later.
 * Instead the cursor is a transaction id, and the next one is the snapshot's xmin, below which
 * every transaction has ended: later commits have higher ids and are read next time. Entries
 * committed above xmin are read twice, which does no harm; a long transaction in any database of
 * the server increases their number. Rows and xmin must come from one snapshot, hence one
 * statement.
 *
 * A cursor beyond the snapshot's xmax means that the database was restored: all live entries count
 * as new.
 *
 * @param after null for all live entries
 */
export async function selectRevocations(
  sql: Queryable,
  after: string | null,
  lifeSeconds: number,
): Promise<RevocationFeed> {
  const fromCursor = sql`and transaction_id >= case
    when ${after}::xid8 > pg_snapshot_xmax(pg_current_snapshot()) then '0'::xid8 else ${after}::xid8 end`
  const [row] = await sql<[{ next: string; entries: RevocationRow[] }]>`
    select
      pg_snapshot_xmin(pg_current_snapshot())::text as next,
      coalesce(
        (
          select json_agg(live order by live.id)
          from (
            select id, scope, subject, epoch, ${atEpochMs(sql)}
            from revocations
            where created_at > now() - make_interval(secs => ${lifeSeconds}) ${after === null ? sql`` : fromCursor}
          ) as live
        ),
        '[]'
      ) as entries`
  return { next: row.next, entries: row.entries.map((entry) => withExpiry(entry, lifeSeconds)) }
}

export interface UnpublishedRevocation extends Revocation {
  id: string
}

/**
 * Selects the oldest unpublished rows and locks them until they are marked, except rows that
 * another replica has locked.
 */
export async function lockUnpublishedForUpdate(
  transaction: Transaction,
  limit: number,
  lifeSeconds: number,
): Promise<UnpublishedRevocation[]> {
  const rows = await transaction<(RevocationRow & { id: string })[]>`
    select id, scope, subject, epoch, ${atEpochMs(transaction)}
    from revocations
    where published_at is null
    order by id
    limit ${limit}
    for update skip locked`
  return rows.map((row) => ({ id: row.id, ...withExpiry(row, lifeSeconds) }))
}

export async function markPublished(transaction: Transaction, ids: string[]): Promise<void> {
  await transaction`
    update revocations set published_at = now() where id = any(${ids}::bigint[]) and published_at is null`
}

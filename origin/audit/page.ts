import * as z from 'zod'
import { moment } from '../../shared/contract/fields.ts'
import type { Queryable } from '../db/types.ts'

/**
 * `created_at` as text with the microseconds that PostgreSQL has and a Date does not: a position
 * rounded to milliseconds would skip or repeat rows.
 */
export const createdAt = (sql: Queryable, column = sql`created_at`) =>
  sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/** A row's place in a list, newest first. */
export const auditPosition = z.tuple([moment, z.string().regex(/^\d{1,18}$/)])

export type AuditPosition = z.output<typeof auditPosition>

export interface Page {
  /** Included. */
  from?: string | undefined
  /** Not included. */
  to?: string | undefined
  /** The last row of the previous page. */
  cursor?: AuditPosition | undefined
  limit: number
}

/**
 * The end of a list's query after its filters: one row more than the page has, newest first. Times
 * are passed as text, because the driver converts a timestamptz to a Date.
 */
export const pageOf = (sql: Queryable, { from, to, cursor, limit }: Page) => sql`
  ${from ? sql`and created_at >= ${from}::text::timestamptz` : sql``}
  ${to ? sql`and created_at < ${to}::text::timestamptz` : sql``}
  ${cursor ? sql`and (created_at, id) < (${cursor[0]}::text::timestamptz, ${cursor[1]}::bigint)` : sql``}
  order by entry.created_at desc, entry.id desc
  limit ${limit + 1}`

import type { Queryable } from './types.ts'

/**
 * An address as accounts are told apart by it: in lower case. Addresses are ASCII
 * (`canonicalEmail`), and "C" folds the letters of ASCII alike in every database; the locale of a
 * Turkish one makes `ı` of `I`.
 *
 * @param email the name of a column as a fragment, or an address
 */
export const foldedEmail = (sql: Queryable, email: ReturnType<Queryable> | string | null) =>
  sql`lower(${email} collate "C")`

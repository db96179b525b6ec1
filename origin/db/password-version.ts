import type { Queryable } from './types.ts'

/**
 * Names the password of a row of user_accounts by when it was set. A new hash of the same password
 * keeps the version.
 */
export const passwordVersion = (sql: Queryable) => sql`extract(epoch from password_changed_at)::text`

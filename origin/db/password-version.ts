import type { Queryable } from './types.ts'

/**
 * The version of a password in user_accounts: the time it was set. Rehashing the same password
 * keeps the version.
 */
export const passwordVersion = (sql: Queryable) => sql`extract(epoch from password_changed_at)::text`

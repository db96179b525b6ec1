import type { Queryable } from '../db/types.ts'
import {
  type AccountSelector,
  type AccountState,
  selectLiveAccounts,
  selectRefreshedAccounts,
} from './directory-queries.ts'

interface FindOptions {
  /** Asks the base tables alone. */
  fresh: boolean
}

/**
 * Accounts for services, in bulk: from the materialized views, and live what those do not have yet,
 * which is who registered since. What changed since the last refresh shows with the next one;
 * whoever cannot wait asks for fresh.
 */
export function createDirectory(sql: Queryable) {
  return {
    /** @returns the accounts there are, in no order */
    async find(wanted: AccountSelector, { fresh }: FindOptions): Promise<AccountState[]> {
      if (fresh) return selectLiveAccounts(sql, wanted)
      const found = await selectRefreshedAccounts(sql, wanted)
      const rest = remaining(wanted, found)
      return rest ? [...found, ...(await selectLiveAccounts(sql, rest))] : found
    },
  }
}

/** What is still wanted; undefined where that is nothing. */
function remaining(wanted: AccountSelector, found: readonly AccountState[]): AccountSelector | undefined {
  if ('email' in wanted) return found.length === 0 ? wanted : undefined
  const known = new Set(found.map(({ id }) => id))
  const ids = wanted.ids.filter((id) => !known.has(id))
  return ids.length > 0 ? { ids } : undefined
}

export type Directory = ReturnType<typeof createDirectory>

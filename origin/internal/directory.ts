import type { Queryable } from '../db/types.ts'
import {
  type AccountSelector,
  type AccountState,
  selectLiveAccounts,
  selectRefreshedAccounts,
} from './directory-queries.ts'

interface FindOptions {
  /** Reads the base tables only. */
  fresh: boolean
}

/**
 * Accounts for services, in bulk: from the materialized views, and from the base tables the
 * accounts registered since their last refresh. Other changes show after the next refresh, or at
 * once with `fresh`.
 */
export function createDirectory(sql: Queryable) {
  return {
    /** @returns the accounts that exist, unordered */
    async find(wanted: AccountSelector, { fresh }: FindOptions): Promise<AccountState[]> {
      if (fresh) return selectLiveAccounts(sql, wanted)
      const found = await selectRefreshedAccounts(sql, wanted)
      const rest = remaining(wanted, found)
      return rest ? [...found, ...(await selectLiveAccounts(sql, rest))] : found
    },
  }
}

/** The part of the selection not found yet; undefined where nothing is left. */
function remaining(wanted: AccountSelector, found: readonly AccountState[]): AccountSelector | undefined {
  if ('email' in wanted) return found.length === 0 ? wanted : undefined
  const known = new Set(found.map(({ id }) => id))
  const ids = wanted.ids.filter((id) => !known.has(id))
  return ids.length > 0 ? { ids } : undefined
}

export type Directory = ReturnType<typeof createDirectory>

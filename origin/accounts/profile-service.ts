import { memberNames } from '../audit/member-names.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { type Profile, type ProfileChange, selectProfile, updateProfile } from './queries.ts'

/** Changes the profile of a user by their own request. */
export function createProfileService({ sql }: { sql: Sql }) {
  return {
    read: (userId: string): Promise<Profile | undefined> => selectProfile(sql, userId),

    /**
     * The audit row names the members, not their values: it outlives the account.
     *
     * @returns the profile as it is now; undefined where the account is gone or disabled
     */
    async change(
      userId: string,
      change: ProfileChange,
      context: RequestContext,
    ): Promise<Profile | undefined> {
      const fields = memberNames(change)
      if (fields.length === 0) return selectProfile(sql, userId)
      return sql.begin(async (transaction) => {
        const profile = await updateProfile(transaction, userId, change)
        if (!profile) return undefined
        await insertAuditRow(transaction, {
          action: 'account.profile_changed',
          actorId: userId,
          userId,
          context,
          details: { fields },
        })
        return profile
      })
    },
  }
}

export type ProfileService = ReturnType<typeof createProfileService>

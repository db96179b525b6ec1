import { passwordVersion } from '../../origin/db/password-version.ts'
import type { Sql } from '../../origin/db/types.ts'
import type { SeededAccount } from './hot-queries.ts'

/**
 * Active accounts with a live session whose second token is not spent, spread over all there are.
 */
export async function selectSeededAccounts(sql: Sql, count: number): Promise<SeededAccount[]> {
  return sql<SeededAccount[]>`
    select distinct on (account.id) account.id as "userId", account.email, ${passwordVersion(sql)} as "passwordVersion",
      session.id as "sessionId", spent.token_hash as "spentHash", live.token_hash as "liveHash"
    from user_accounts account
    join sessions session on session.user_id = account.id and session.ended_at is null and session.expires_at > now()
    join tokens spent on spent.session_id = session.id and spent.spent_at is not null
    join tokens live on live.session_id = session.id and live.spent_at is null and live.expires_at > now()
    where account.status = 'active'
    order by account.id
    limit ${count}`
}

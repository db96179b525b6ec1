import type { Sql } from '../../../origin/db/types.ts'
import { selectEntitlements } from '../../../origin/entitlements/queries.ts'
import {
  insertRefreshToken,
  type SessionAuthentication,
  type SessionOwner,
  type SessionWithEntitlements,
} from '../../../origin/sessions/queries.ts'

type Successor = Parameters<typeof insertRefreshToken>[2]

/**
 * Rotation as one would first write it: a transaction, its statements one after another. The same
 * checks, and the same rows afterwards, as `rotateRefreshToken`.
 *
 * @param touchSession false leaves `last_used_at` as it is: a statement less, and less done
 */
export async function rotatePlainly(
  sql: Sql,
  hash: Uint8Array,
  successor: Successor,
  { touchSession }: { touchSession: boolean },
): Promise<SessionWithEntitlements | undefined> {
  const bearer = await sql.begin(async (transaction) => {
    const [token] = await transaction<[(SessionOwner & SessionAuthentication & { id: string })?]>`
      select tokens.id, session.id as "sessionId", session.user_id as "userId", session.amr, session.acr,
        floor(extract(epoch from session.created_at))::float8 as "authTime",
        extract(epoch from now() - session.created_at)::float8 as "secondsSinceAuthTime"
      from tokens
      join sessions session on session.id = tokens.session_id
      join user_accounts account on account.id = session.user_id
      where tokens.token_hash = ${hash} and tokens.kind = 'refresh'
        and tokens.spent_at is null and tokens.expires_at > now()
        and session.ended_at is null and session.expires_at > now()
        and account.status = 'active'
      for update of tokens`
    if (!token) return undefined
    const { id, ...session } = token
    const { sessionId } = session
    await transaction`update tokens set spent_at = now() where id = ${id}`
    if (touchSession) await transaction`update sessions set last_used_at = now() where id = ${sessionId}`
    const sessionSecondsLeft = await insertRefreshToken(transaction, sessionId, successor)
    const entitlements = await selectEntitlements(transaction, session.userId)
    return entitlements && { ...session, sessionSecondsLeft, ...entitlements }
  })
  return bearer as SessionWithEntitlements | undefined
}

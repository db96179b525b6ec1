import {
  insertRefreshToken,
  type endSessions as originalEnd,
  type rotateRefreshToken as originalRotation,
  selectReplay,
} from '../../../origin/sessions/queries.ts'

export * from '../../../origin/sessions/queries.ts'

/** Longer than the statements below take. */
const justNowSeconds = 60

/** A fault: the end of a session has no row of revocation. */
export const endSessions: typeof originalEnd = async (sql, { userId, only, except }, reason) => {
  const rows = await sql<{ id: string }[]>`
    update sessions set ended_at = now(), end_reason = ${reason}
    where user_id = ${userId} and ended_at is null
      and (${only ?? null}::uuid is null or id = ${only ?? null})
      and (${except ?? null}::uuid is null or id <> ${except ?? null})
    returning id`
  return rows.map(({ id }) => id)
}

/** A fault: the rotation checks that the token is live, and then spends it. */
export const rotateRefreshToken: typeof originalRotation = async (sql, hash, successor) => {
  const [live] = await sql<{ id: string; sessionId: string }[]>`
    select tokens.id, session_id as "sessionId"
    from tokens join sessions on sessions.id = tokens.session_id
    where token_hash = ${hash} and spent_at is null and sessions.ended_at is null`
  if (!live) return undefined
  await sql`update tokens set spent_at = clock_timestamp() where id = ${live.id}`
  await insertRefreshToken(sql, live.sessionId, successor)
  return selectReplay(sql, { hash, successorHash: successor.hash, graceSeconds: justNowSeconds })
}

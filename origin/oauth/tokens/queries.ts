import type { Claims } from '../../../shared/auth/claims.ts'
import type { EpochSeconds } from '../../../shared/lib/time.ts'
import type { Queryable } from '../../db/types.ts'

/**
 * Whether a user's token is live: its session and account are active, and its epochs are current,
 * compared as at the gateways.
 */
export async function selectIsTokenLive(
  sql: Queryable,
  { sub, sid, role, plan, epoch }: Pick<Claims, 'sub' | 'sid' | 'role' | 'plan' | 'epoch'>,
): Promise<boolean> {
  const rows = await sql`
    select from sessions session
    join user_accounts account on account.id = session.user_id
    join roles role on role.name = ${role}
    join subscription_plans plan on plan.name = ${plan}
    where session.id = ${sid} and session.user_id = ${sub}
      and session.ended_at is null and session.expires_at > now()
      and account.status = 'active'
      and account.epoch <= ${epoch.user} and role.epoch <= ${epoch.role} and plan.epoch <= ${epoch.plan}`
  return rows.length === 1
}

interface LiveRefreshToken {
  userId: string
  issuedAt: EpochSeconds
  expiresAt: EpochSeconds
}

/**
 * @returns undefined where it is unknown, spent or expired, its session has ended or its account is
 * disabled
 */
export async function selectLiveRefreshToken(
  sql: Queryable,
  hash: Uint8Array,
): Promise<LiveRefreshToken | undefined> {
  const [row] = await sql<[LiveRefreshToken?]>`
    select token.user_id as "userId",
      floor(extract(epoch from token.created_at))::float8 as "issuedAt",
      floor(extract(epoch from token.expires_at))::float8 as "expiresAt"
    from tokens token
    join sessions session on session.id = token.session_id
    join user_accounts account on account.id = token.user_id
    where token.token_hash = ${hash} and token.kind = 'refresh'
      and token.spent_at is null and token.expires_at > now()
      and session.ended_at is null and session.expires_at > now()
      and account.status = 'active'`
  return row
}

/** Whether a refresh token exists, live or not. */
export async function selectIsRefreshToken(sql: Queryable, hash: Uint8Array): Promise<boolean> {
  const rows = await sql`select from tokens where token_hash = ${hash} and kind = 'refresh'`
  return rows.length === 1
}

import type { Queryable } from '../db/types.ts'
import { publishOnCommit } from '../revocations/after-commit.ts'
import { atEpochMs } from '../revocations/queries.ts'

/**
 * Raises the epoch of a changed row and revokes older tokens, in one statement of the change's own
 * transaction: every token made from an older epoch is stale at once. A role or a plan is one row
 * and one entry for all its accounts.
 *
 * Each function returns the new epoch, undefined where the row does not exist.
 */

interface RaisedEpoch {
  subject: string
  epoch: number
  at: number
}

function note(sql: Queryable, scope: 'user' | 'role' | 'plan', raised: readonly RaisedEpoch[]) {
  publishOnCommit(
    sql,
    raised.map((each) => ({ ...each, scope })),
  )
  return raised[0]?.epoch
}

export const raiseUserEpoch = (sql: Queryable, userId: string) => raiseUserEpochs(sql, [userId])

/** @returns the new epoch of one of them */
export async function raiseUserEpochs(
  sql: Queryable,
  userIds: readonly string[],
): Promise<number | undefined> {
  const rows = await sql<RaisedEpoch[]>`
    with raised as (
      update user_accounts set epoch = epoch + 1 where id = any(${userIds as string[]}::uuid[]) returning id, epoch
    )
    insert into revocations (scope, subject, epoch) select 'user', id, epoch from raised
    returning subject, epoch, ${atEpochMs(sql)}`
  return note(sql, 'user', rows)
}

export async function raiseRoleEpoch(sql: Queryable, role: string): Promise<number | undefined> {
  const rows = await sql<RaisedEpoch[]>`
    with raised as (
      update roles set epoch = epoch + 1 where name = ${role} returning name, epoch
    )
    insert into revocations (scope, subject, epoch) select 'role', name, epoch from raised
    returning subject, epoch, ${atEpochMs(sql)}`
  return note(sql, 'role', rows)
}

export async function raisePlanEpoch(sql: Queryable, plan: string): Promise<number | undefined> {
  const rows = await sql<RaisedEpoch[]>`
    with raised as (
      update subscription_plans set epoch = epoch + 1 where name = ${plan} returning name, epoch
    )
    insert into revocations (scope, subject, epoch) select 'plan', name, epoch from raised
    returning subject, epoch, ${atEpochMs(sql)}`
  return note(sql, 'plan', rows)
}

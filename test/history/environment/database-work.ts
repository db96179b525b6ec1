import postgres, { type Sql } from 'postgres'
import type { DatabaseState } from '../history.ts'

async function ask<Result>(url: string, work: (sql: Sql) => PromiseLike<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

/** No client of a drill is to meet the quota of its plan. */
export const raiseQuotas = (url: string) =>
  ask(url, (sql) => sql`update subscription_plans set api_quota_per_hour = 1000000000`)

/** Rows that the checker compares with what was acknowledged. */
export const readDatabaseState = (url: string): Promise<DatabaseState> =>
  ask(url, async (sql) => ({
    audits: (
      await sql<{ requestId: string; action: string }[]>`
        select request_id as "requestId", action from audit_logs where request_id is not null order by id`
    ).map(({ requestId, action }): [string, string] => [requestId, action]),
    sessions: [
      ...(await sql<DatabaseState['sessions']>`
        select id, end_reason as "endReason",
          (select count(*)::integer from tokens where session_id = sessions.id and spent_at is null) as "unspentTokens"
        from sessions`),
    ],
    revoked: (
      await sql<{ subject: string }[]>`select distinct subject from revocations where scope = 'session'`
    ).map(({ subject }) => subject),
  }))

import type { LinkTokens } from '../accounts/link-tokens.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Client } from '../caller.ts'
import type { Queryable, Sql } from '../database.ts'
import { selectActiveAccount } from './queries.ts'

interface ResetRequest {
  email: string
  client: Client
}

/** The same write for every address, with or without an account. */
export async function insertResetRequest(sql: Queryable, { email, client }: ResetRequest): Promise<void> {
  await sql`
    insert into reset_requests (email, ip, user_agent, request_id)
    values (${email}, ${client.ip}, ${client.userAgent}, ${client.requestId})`
}

/** Takes the oldest request; of several replicas each takes another. It is gone when the transaction commits. */
async function takeResetRequest(sql: Queryable): Promise<ResetRequest | undefined> {
  const [row] = await sql<[(Client & { email: string })?]>`
    delete from reset_requests
    where id = (select id from reset_requests order by id limit 1 for update skip locked)
    returning email, host(ip) as ip, user_agent as "userAgent", request_id as "requestId"`
  if (!row) return undefined
  const { email, ...client } = row
  return { email, client }
}

/** Mails a link for each request whose address has an account, until none is left or `signal` says to stop. */
export async function answerResetRequests(
  { sql, linkTokens }: { sql: Sql; linkTokens: LinkTokens },
  signal?: AbortSignal,
): Promise<void> {
  let taken = true
  while (taken && !signal?.aborted) {
    taken = await sql.begin(async (transaction) => {
      const request = await takeResetRequest(transaction)
      if (!request) return false
      const account = await selectActiveAccount(transaction, request.email)
      await insertAuditRow(transaction, {
        action: 'password.reset_requested',
        actorId: null,
        userId: account?.userId ?? null,
        client: request.client,
      })
      if (account) await linkTokens.sendReset(transaction, account)
      return true
    })
  }
}

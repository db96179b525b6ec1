import { type AuditAction, insertAuditRow } from '../audit/queries.ts'
import type { Queryable, Sql } from '../db/types.ts'
import type { LinkTokens } from '../email-tokens/email-tokens.ts'
import type { LinkKind } from '../email-tokens/queries.ts'
import type { Client } from '../http/request-context.ts'
import { selectActiveAccount, selectUnverifiedAccount } from './queries.ts'

interface LinkRequest {
  email: string
  client: Client
}

interface RequestKind {
  table: string
  audited: AuditAction
  /** The account whose owner gets the link, if there is one. */
  selectAccount: typeof selectActiveAccount
  send: (linkTokens: LinkTokens) => LinkTokens['sendReset']
}

const kinds: Record<LinkKind, RequestKind> = {
  password_reset: {
    table: 'reset_requests',
    audited: 'password.reset_requested',
    selectAccount: selectActiveAccount,
    send: ({ sendReset }) => sendReset,
  },
  email_verification: {
    table: 'verification_requests',
    audited: 'account.verification_requested',
    selectAccount: selectUnverifiedAccount,
    send: ({ sendVerification }) => sendVerification,
  },
}

/** The same write for every address, with or without an account. */
export async function insertLinkRequest(
  sql: Queryable,
  kind: LinkKind,
  { email, client }: LinkRequest,
): Promise<void> {
  await sql`
    insert into ${sql(kinds[kind].table)} (email, ip, user_agent, request_id)
    values (${email}, ${client.ip}, ${client.userAgent}, ${client.requestId})`
}

/** Takes the oldest request; of several replicas each takes another. It is gone when the transaction commits. */
async function takeLinkRequest(sql: Queryable, table: string): Promise<LinkRequest | undefined> {
  const [row] = await sql<[(Client & { email: string })?]>`
    delete from ${sql(table)}
    where id = (select id from ${sql(table)} order by id limit 1 for update skip locked)
    returning email, host(ip) as ip, user_agent as "userAgent", request_id as "requestId"`
  if (!row) return undefined
  const { email, ...client } = row
  return { email, client }
}

/** Mails a link for each request whose address has an account for it, until none is left or `signal` says to stop. */
export async function answerLinkRequests(
  { sql, linkTokens }: { sql: Sql; linkTokens: LinkTokens },
  signal?: AbortSignal,
): Promise<void> {
  for (const { table, audited, selectAccount, send } of Object.values(kinds)) {
    let taken = true
    while (taken && !signal?.aborted) {
      taken = await sql.begin(async (transaction) => {
        const request = await takeLinkRequest(transaction, table)
        if (!request) return false
        const account = await selectAccount(transaction, request.email)
        await insertAuditRow(transaction, {
          action: audited,
          actorId: null,
          userId: account?.userId ?? null,
          client: request.client,
        })
        if (account) await send(linkTokens)(transaction, account)
        return true
      })
    }
  }
}

import { type AuditAction, insertAuditRow } from '../audit/queries.ts'
import type { Queryable, Sql } from '../db/types.ts'
import type { EmailTokens } from '../email-tokens/email-tokens.ts'
import type { EmailTokenKind } from '../email-tokens/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import { selectActiveAccount, selectUnverifiedAccount } from './queries.ts'

interface EmailTokenRequest {
  email: string
  context: RequestContext
}

type EmailTokenSenders = Pick<EmailTokens, 'sendReset' | 'sendVerification'>

interface RequestKind {
  table: string
  audited: AuditAction
  /** The account whose owner gets the link, if one exists. */
  selectAccount: typeof selectActiveAccount
  send: keyof EmailTokenSenders
}

const kinds: Record<EmailTokenKind, RequestKind> = {
  password_reset: {
    table: 'reset_requests',
    audited: 'password.reset_requested',
    selectAccount: selectActiveAccount,
    send: 'sendReset',
  },
  email_verification: {
    table: 'verification_requests',
    audited: 'account.verification_requested',
    selectAccount: selectUnverifiedAccount,
    send: 'sendVerification',
  },
}

/** Inserts the same row for every address, with or without an account. */
export async function insertEmailTokenRequest(
  sql: Queryable,
  kind: EmailTokenKind,
  { email, context }: EmailTokenRequest,
): Promise<void> {
  await sql`
    insert into ${sql(kinds[kind].table)} (email, ip, user_agent, request_id)
    values (${email}, ${context.ip}, ${context.userAgent}, ${context.requestId})`
}

/**
 * Takes the oldest request. Replicas take different ones, and the commit deletes the row.
 */
async function takeEmailTokenRequest(sql: Queryable, table: string): Promise<EmailTokenRequest | undefined> {
  const [row] = await sql<[(RequestContext & { email: string })?]>`
    delete from ${sql(table)}
    where id = (select id from ${sql(table)} order by id limit 1 for update skip locked)
    returning email, host(ip) as ip, user_agent as "userAgent", request_id as "requestId"`
  if (!row) return undefined
  const { email, ...context } = row
  return { email, context }
}

/** Requests processed in one round; due mails are sent after each round. */
export const requestsPerRound = 100

/**
 * Mails a link for each request whose address has an account. The kinds alternate, so that many
 * requests of one kind do not delay the other.
 *
 * @returns whether the round is full, so that requests may be left
 */
export async function processEmailTokenRequests(
  { sql, emailTokens }: { sql: Sql; emailTokens: EmailTokenSenders },
  signal?: AbortSignal,
): Promise<boolean> {
  const left = new Set(Object.values(kinds))
  let processed = 0
  while (left.size > 0) {
    for (const kind of left) {
      if (signal?.aborted) return false
      if (processed === requestsPerRound) return true
      if (await processOne(sql, emailTokens, kind)) processed += 1
      else left.delete(kind)
    }
  }
  return false
}

/** @returns whether there was a request */
const processOne = (
  sql: Sql,
  emailTokens: EmailTokenSenders,
  { table, audited, selectAccount, send }: RequestKind,
) =>
  sql.begin(async (transaction) => {
    const request = await takeEmailTokenRequest(transaction, table)
    if (!request) return false
    const account = await selectAccount(transaction, request.email)
    await insertAuditRow(transaction, {
      action: audited,
      actorId: null,
      userId: account?.userId ?? null,
      context: request.context,
    })
    const requestedBy = request.context.ip
    if (account) await emailTokens[send](transaction, { ...account, requestedBy })
    return true
  })

import { type AuditAction, insertAuditRow } from '../audit/queries.ts'
import type { Queryable, Sql } from '../db/types.ts'
import type { LinkTokens } from '../email-tokens/email-tokens.ts'
import type { LinkKind } from '../email-tokens/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import { selectActiveAccount, selectUnverifiedAccount } from './queries.ts'

interface LinkRequest {
  email: string
  context: RequestContext
}

type LinkSenders = Pick<LinkTokens, 'sendReset' | 'sendVerification'>

interface RequestKind {
  table: string
  audited: AuditAction
  /** The account whose owner gets the link, if there is one. */
  selectAccount: typeof selectActiveAccount
  send: keyof LinkSenders
}

const kinds: Record<LinkKind, RequestKind> = {
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

/** The same write for every address, with or without an account. */
export async function insertLinkRequest(
  sql: Queryable,
  kind: LinkKind,
  { email, context }: LinkRequest,
): Promise<void> {
  await sql`
    insert into ${sql(kinds[kind].table)} (email, ip, user_agent, request_id)
    values (${email}, ${context.ip}, ${context.userAgent}, ${context.requestId})`
}

/**
 * Takes the oldest request, each replica another one. The row is gone when the transaction commits.
 */
async function takeLinkRequest(sql: Queryable, table: string): Promise<LinkRequest | undefined> {
  const [row] = await sql<[(RequestContext & { email: string })?]>`
    delete from ${sql(table)}
    where id = (select id from ${sql(table)} order by id limit 1 for update skip locked)
    returning email, host(ip) as ip, user_agent as "userAgent", request_id as "requestId"`
  if (!row) return undefined
  const { email, ...context } = row
  return { email, context }
}

/** Requests that are answered before the mails that are due get their turn. */
export const requestsPerRound = 100

/**
 * Mails a link for each request whose address has an account for it. The kinds take turns, so that
 * many requests of one do not hold up the other.
 *
 * @returns whether requests may be left because the round is full
 */
export async function processLinkRequests(
  { sql, linkTokens }: { sql: Sql; linkTokens: LinkSenders },
  signal?: AbortSignal,
): Promise<boolean> {
  const left = new Set(Object.values(kinds))
  let processed = 0
  while (left.size > 0) {
    for (const kind of left) {
      if (signal?.aborted) return false
      if (processed === requestsPerRound) return true
      if (await processOne(sql, linkTokens, kind)) processed += 1
      else left.delete(kind)
    }
  }
  return false
}

/** @returns whether there was a request */
const processOne = (
  sql: Sql,
  linkTokens: LinkSenders,
  { table, audited, selectAccount, send }: RequestKind,
) =>
  sql.begin(async (transaction) => {
    const request = await takeLinkRequest(transaction, table)
    if (!request) return false
    const account = await selectAccount(transaction, request.email)
    await insertAuditRow(transaction, {
      action: audited,
      actorId: null,
      userId: account?.userId ?? null,
      context: request.context,
    })
    if (account) await linkTokens[send](transaction, account)
    return true
  })

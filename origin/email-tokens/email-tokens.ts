import type { Queryable } from '../db/types.ts'
import type { Mail } from '../mail/service.ts'
import { hashToken, newOpaqueToken } from '../opaque-token.ts'
import {
  type EmailTokenKind,
  type EmailTokenOwner,
  insertEmailToken,
  selectEmailTokenOwner,
  spendEmailToken,
} from './queries.ts'

/** How long a mailed link is valid. */
const lifeSeconds: Record<EmailTokenKind, number> = {
  email_verification: 86_400,
  password_reset: 30 * 60,
}

/**
 * Live links of one kind per account, so that repeated requests do not fill the mailbox.
 */
const maxLiveTokens = 3

interface EmailTokenRecipient extends EmailTokenOwner {
  /** The network address of the request for the link. */
  requestedBy: string | null
}

export type EmailTokens = ReturnType<typeof createEmailTokens>

/** Tokens of mailed links: 256 random bits, stored as SHA-256, single use. */
export function createEmailTokens(mail: Mail) {
  /** Mails a link, unless the account has enough of them. */
  async function send(
    transaction: Queryable,
    kind: EmailTokenKind,
    { userId, email, requestedBy }: EmailTokenRecipient,
  ): Promise<void> {
    const token = newOpaqueToken()
    const tokenHash = hashToken(token)
    const expiresAt = await insertEmailToken(transaction, {
      kind,
      userId,
      hash: tokenHash,
      lifeSeconds: lifeSeconds[kind],
      maxLiveTokens,
    })
    if (!expiresAt) return
    const message =
      kind === 'email_verification'
        ? mail.messages.verifyAddress({ token, expiresAt })
        : mail.messages.resetPassword({ token, expiresAt })
    await mail.enqueue(transaction, email, message, { requestedBy, tokenHash })
  }

  return {
    sendVerification: (transaction: Queryable, recipient: EmailTokenRecipient) =>
      send(transaction, 'email_verification', recipient),

    sendReset: (transaction: Queryable, recipient: EmailTokenRecipient) =>
      send(transaction, 'password_reset', recipient),

    /** @returns the owner of a valid link; undefined where it is unknown, spent or expired */
    owner: (sql: Queryable, kind: EmailTokenKind, token: string) =>
      selectEmailTokenOwner(sql, kind, hashToken(token)),

    /** Id of the link's own group of attempts: a UUID without its hyphens. */
    attemptGroupOf: (token: string) => hashToken(token).toString('hex').slice(0, 32),

    /**
     * @returns the owner of a link that is spent now; undefined where it is unknown, spent or
     * expired
     */
    spend: (transaction: Queryable, kind: EmailTokenKind, token: string) =>
      spendEmailToken(transaction, kind, hashToken(token)),
  }
}

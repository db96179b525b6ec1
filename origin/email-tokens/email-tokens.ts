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

export type EmailTokens = ReturnType<typeof createEmailTokens>

/** Tokens of mailed links: 256 random bits, stored as SHA-256, single use. */
export function createEmailTokens(mail: Mail) {
  async function issue(transaction: Queryable, kind: EmailTokenKind, userId: string) {
    const token = newOpaqueToken()
    const expiresAt = await insertEmailToken(transaction, {
      kind,
      userId,
      hash: hashToken(token),
      lifeSeconds: lifeSeconds[kind],
      maxLiveTokens,
    })
    return expiresAt && { token, expiresAt }
  }

  return {
    async sendVerification(transaction: Queryable, { userId, email }: EmailTokenOwner): Promise<void> {
      const emailToken = await issue(transaction, 'email_verification', userId)
      if (emailToken) await mail.enqueue(transaction, email, mail.messages.verifyAddress(emailToken))
    },

    async sendReset(transaction: Queryable, { userId, email }: EmailTokenOwner): Promise<void> {
      const emailToken = await issue(transaction, 'password_reset', userId)
      if (emailToken) await mail.enqueue(transaction, email, mail.messages.resetPassword(emailToken))
    },

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

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

/** How long a link in a mail works. */
const lifeSeconds: Record<EmailTokenKind, number> = {
  email_verification: 86_400,
  password_reset: 30 * 60,
}

/**
 * Live links of one kind an account may have: somebody who asks again and again fills no mailbox.
 */
const maxLiveTokens = 3

export type EmailTokens = ReturnType<typeof createEmailTokens>

/** The secrets in mailed links: 256 random bits, stored as SHA-256, good once. */
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

    /** @returns whose link it is, still good; undefined where it is unknown, spent or too old */
    owner: (sql: Queryable, kind: EmailTokenKind, token: string) =>
      selectEmailTokenOwner(sql, kind, hashToken(token)),

    /** Names a counter of tries that belong to this link alone: a UUID without its hyphens. */
    attemptGroupOf: (token: string) => hashToken(token).toString('hex').slice(0, 32),

    /** @returns whose link it was, spent now; undefined where it is unknown, spent or too old */
    spend: (transaction: Queryable, kind: EmailTokenKind, token: string) =>
      spendEmailToken(transaction, kind, hashToken(token)),
  }
}

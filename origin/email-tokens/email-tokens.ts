import type { Queryable } from '../db/types.ts'
import type { Mail } from '../mail/service.ts'
import { hashToken, newOpaqueToken } from '../opaque-token.ts'
import { insertLinkToken, type LinkKind, type LinkOwner, selectLinkOwner, spendLinkToken } from './queries.ts'

/** How long a link in a mail works. */
const lifeSeconds: Record<LinkKind, number> = {
  email_verification: 86_400,
  password_reset: 30 * 60,
}

/**
 * Live links of one kind an account may have: somebody who asks again and again fills no mailbox.
 */
const liveLinks = 3

export type LinkTokens = ReturnType<typeof createLinkTokens>

/** The secrets in mailed links: 256 random bits, stored as SHA-256, good once. */
export function createLinkTokens(mail: Mail) {
  async function issue(transaction: Queryable, kind: LinkKind, userId: string) {
    const token = newOpaqueToken()
    const expiresAt = await insertLinkToken(transaction, {
      kind,
      userId,
      hash: hashToken(token),
      lifeSeconds: lifeSeconds[kind],
      liveLinks,
    })
    return expiresAt && { token, expiresAt }
  }

  return {
    async sendVerification(transaction: Queryable, { userId, email }: LinkOwner): Promise<void> {
      const link = await issue(transaction, 'email_verification', userId)
      if (link) await mail.enqueue(transaction, email, mail.messages.verifyAddress(link))
    },

    async sendReset(transaction: Queryable, { userId, email }: LinkOwner): Promise<void> {
      const link = await issue(transaction, 'password_reset', userId)
      if (link) await mail.enqueue(transaction, email, mail.messages.resetPassword(link))
    },

    /** @returns whose link it is, still good; undefined where it is unknown, spent or too old */
    owner: (sql: Queryable, kind: LinkKind, token: string) => selectLinkOwner(sql, kind, hashToken(token)),

    /** Names a counter of tries that belong to this link alone: a UUID without its hyphens. */
    counterOf: (token: string) => hashToken(token).toString('hex').slice(0, 32),

    /** @returns whose link it was, spent now; undefined where it is unknown, spent or too old */
    spend: (transaction: Queryable, kind: LinkKind, token: string) =>
      spendLinkToken(transaction, kind, hashToken(token)),
  }
}

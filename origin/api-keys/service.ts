import { randomBytes } from 'node:crypto'
import { apiKeyHint, formatApiKey } from '../../shared/auth/api-key.ts'
import { type AdminAction, lockBothForUpdate, rejectChange } from '../admin/authority.ts'
import { evaluateAuthority, type RoleRejection } from '../admin/rules.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import { selectEntitlements } from '../entitlements/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Mail } from '../mail/service.ts'
import { hashToken } from '../opaque-token.ts'
import { type ApiKeyRow, insertApiKey, lockOwnerForUpdate, revokeApiKeys, selectApiKeys } from './queries.ts'
import { evaluateNewKey, type KeyRejection } from './rules.ts'

interface NewKey {
  name: string
  permissions: readonly string[]
  networks: readonly string[]
  /** undefined for the latest one possible. */
  expiresAt: Date | undefined
}

export type CreateOutcome =
  | { kind: 'created'; row: ApiKeyRow; key: string }
  | { kind: 'unknown_user' }
  | { kind: 'too_many'; limit: number }
  | KeyRejection

export type RevokeOutcome =
  | { kind: 'done' }
  | { kind: 'unknown_user' | 'unknown_key' }
  | { kind: 'rejected'; reason: RoleRejection }

interface ApiKeyOptions {
  sql: Sql
  mail: Mail
  /** Live keys per account. */
  perUser: number
  /** Longest lifetime of a key. */
  maxDays: number
}

export type ApiKeyService = ReturnType<typeof createApiKeyService>

/** API keys of accounts: created by their owners, revoked by them or by admins. */
export function createApiKeyService({ sql, mail, perUser, maxDays }: ApiKeyOptions) {
  /** Revokes keys, with one audit row for all. */
  async function revoke(
    transaction: Transaction,
    { userId, actorId, context }: AdminAction,
    only: string | undefined,
  ): Promise<RevokeOutcome> {
    const ids = await revokeApiKeys(transaction, userId, only)
    if (ids.length === 0) return { kind: only === undefined ? 'done' : 'unknown_key' }
    const details = { key_ids: ids }
    await insertAuditRow(transaction, { action: 'api_key.revoked', actorId, userId, context, details })
    return { kind: 'done' }
  }

  async function create(
    transaction: Transaction,
    userId: string,
    key: NewKey,
    context: RequestContext,
  ): Promise<CreateOutcome> {
    const owner = await lockOwnerForUpdate(transaction, userId)
    const entitlements = owner && (await selectEntitlements(transaction, userId))
    if (!owner || !entitlements) return { kind: 'unknown_user' }
    const verdict = evaluateNewKey(key, entitlements, { now: owner.now, maxDays })
    if (verdict.kind !== 'allowed') return verdict

    const secret = formatApiKey(randomBytes(32))
    const { name, networks } = key
    const permissions = [...new Set(key.permissions)].sort()
    const { expiresAt } = verdict
    const row = await insertApiKey(
      transaction,
      { userId, name, hash: hashToken(secret), hint: apiKeyHint(secret), permissions, networks, expiresAt },
      perUser,
    )
    if (!row) return { kind: 'too_many', limit: perUser }
    const details = {
      key_id: row.id,
      permissions,
      networks: [...networks],
      expires_at: expiresAt.toISOString(),
    }
    await insertAuditRow(transaction, {
      action: 'api_key.created',
      actorId: userId,
      userId,
      context,
      details,
    })
    await mail.enqueue(transaction, owner.email, mail.messages.apiKeyCreated())
    return { kind: 'created', row, key: secret }
  }

  return {
    list: (userId: string) => selectApiKeys(sql, userId),

    /** The outcome has the key itself, which is stored nowhere. */
    async create(userId: string, key: NewKey, context: RequestContext): Promise<CreateOutcome> {
      const outcome = await sql.begin((transaction) => create(transaction, userId, key, context))
      if (outcome.kind === 'created') mail.wake()
      return outcome
    },

    /** @param only the key to revoke; all keys where it is undefined */
    revokeOwn: (userId: string, only: string | undefined, context: RequestContext): Promise<RevokeOutcome> =>
      sql.begin((transaction) => revoke(transaction, { userId, actorId: userId, context }, only)),

    /** By an admin with authority over the account. */
    revokeOf: (change: AdminAction, only?: string): Promise<RevokeOutcome> =>
      sql.begin(async (transaction): Promise<RevokeOutcome> => {
        const { actor, target } = await lockBothForUpdate(transaction, change)
        if (!target) return { kind: 'unknown_user' }
        const verdict = evaluateAuthority(actor, target)
        if (verdict !== 'allowed') return rejectChange(transaction, change, 'revoke API keys', verdict)
        return revoke(transaction, change, only)
      }),
  }
}

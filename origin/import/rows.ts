import type { JSONValue } from 'postgres'
import { memberNames } from '../audit/member-names.ts'
import { decryptTotp, encryptTotp } from '../factors/totp-encryption.ts'
import type { Encryption } from '../keys/encryption.ts'
import { type AccountState, digestOf, type ImportedAccount } from './account.ts'
import type { AccountRow, NewAccountRow, StoredAccount } from './queries.ts'
import type { Catalogue, ExistingAccount } from './rules.ts'

export function encryptTotpSecret(encryption: Encryption, userId: string, { totpSecret }: ImportedAccount) {
  const encrypted = totpSecret && encryptTotp(encryption, 'totp_secrets', userId, totpSecret)
  return { user_id: userId, encrypted: encrypted && Buffer.from(encrypted).toString('hex') }
}

/** @throws Error where KEY_ENCRYPTION_KEY does not decrypt a secret */
export function toExistingAccount(encryption: Encryption, account: StoredAccount): ExistingAccount {
  const { id, externalId, level, imported, plan, periodEndsAt, encryptedTotpSecret, passwordHash } = account
  const { email, emailVerified, displayName, role, status, metadata } = account
  const totpSecret = encryptedTotpSecret && decryptTotp(encryption, 'totp_secrets', id, encryptedTotpSecret)
  return {
    id,
    externalId,
    level,
    imported,
    current: {
      email,
      emailVerified,
      displayName,
      role,
      status,
      metadata,
      subscription: plan === null ? null : { plan, periodEndsAt: periodEndsAt?.toISOString() ?? null },
      password: digestOf(passwordHash),
      totpSecret: digestOf(totpSecret),
    },
  }
}

function toAccountRow(
  id: string,
  externalId: string | null,
  state: AccountState,
  { roles }: Catalogue,
): Omit<AccountRow, 'password_hash' | 'sets_password'> {
  return {
    id,
    external_id: externalId,
    email: state.email,
    email_verified: state.emailVerified,
    display_name: state.displayName,
    // The rules reject a role that is not in the catalogue.
    role_id: roles.get(state.role)?.id ?? 0,
    status: state.status,
    metadata: state.metadata,
  }
}

export function toNewAccountRow(
  id: string,
  { externalId, createdAt, passwordHash, state }: ImportedAccount,
  catalogue: Catalogue,
): NewAccountRow {
  const { plan, periodEndsAt } = state.subscription
  return {
    ...toAccountRow(id, externalId, state, catalogue),
    password_hash: passwordHash,
    sets_password: true,
    created_at: createdAt?.toISOString() ?? null,
    plan_id: catalogue.plans.get(plan) ?? 0,
    period_ends_at: periodEndsAt,
  }
}

/** An account that changes. */
export interface Change {
  account: ExistingAccount
  changes: Partial<AccountState>
  externalId: string | null
  row: ImportedAccount
}

export function toChangedRow(
  { account, changes, externalId, row }: Change,
  catalogue: Catalogue,
): AccountRow {
  return {
    ...toAccountRow(account.id, externalId, { ...account.current, ...changes }, catalogue),
    password_hash: row.passwordHash,
    sets_password: changes.password !== undefined,
  }
}

/** Members of the audit row of a change. Personal data and secrets are named, not repeated. */
export function auditChanges({ account, changes }: Change): Record<string, JSONValue> {
  const audited = (state: Partial<AccountState>) => ({
    ...(changes.role !== undefined && { role: state.role ?? null }),
    ...(changes.status !== undefined && { status: state.status ?? null }),
    ...(changes.subscription !== undefined && { subscription: auditedSubscription(state) }),
  })
  return {
    outcome: 'updated',
    fields: memberNames(changes),
    before: audited(account.current),
    after: audited(changes),
  }
}

const auditedSubscription = ({ subscription }: Partial<AccountState>) =>
  subscription ? { plan: subscription.plan, period_ends_at: subscription.periodEndsAt } : null

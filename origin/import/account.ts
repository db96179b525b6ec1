import { createHash } from 'node:crypto'
import { importedUser, type JsonObject } from '../../shared/contract.ts'
import { describeSchemaFault, listSchemaFaults } from '../../shared/lib/schema-faults.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import { whyTooCostly } from '../passwords/foreign/bounds.ts'
import { formatForeignHash } from '../passwords/foreign/foreign-hash.ts'
import { readImportedHash } from '../passwords/foreign/import-forms.ts'
import { leftToVerifier, verifierForm } from '../passwords/legacy-verifier.ts'

type Status = 'active' | 'disabled'

/** The state of an account that imports set and compare. Times are RFC 3339 in UTC. */
export interface AccountState {
  email: string
  emailVerified: boolean
  displayName: string | null
  role: string
  status: Status
  metadata: JsonObject
  /** null where the current one is not active, or there is none. */
  subscription: { plan: string; periodEndsAt: string | null } | null
  /** Digest of the stored password, or null. */
  password: string | null
  /** Digest of the secret, or null. */
  totpSecret: string | null
}

/** An account as it is imported. */
export interface ImportedAccount {
  externalId: string | null
  createdAt: Date | null
  /** The text for the database. */
  passwordHash: string | null
  totpSecret: string | null
  state: AccountState & { subscription: { plan: string; periodEndsAt: string | null } }
}

type ImportedState = ImportedAccount['state']

/** An account as it was given: null stands for the role or the plan of new accounts. */
export interface GivenAccount extends Omit<ImportedAccount, 'state'> {
  state: Omit<ImportedState, 'role' | 'subscription'> & {
    role: string | null
    subscription: { plan: string | null; periodEndsAt: string | null }
  }
}

/** The account with the role and the plan of new accounts where it names none. */
export function withDefaults(
  { state, ...account }: GivenAccount,
  defaults: { role: string; plan: string },
): ImportedAccount {
  const { role, subscription } = state
  return {
    ...account,
    state: {
      ...state,
      role: role ?? defaults.role,
      subscription: { ...subscription, plan: subscription.plan ?? defaults.plan },
    },
  }
}

export type ReadAccount = { kind: 'read'; account: GivenAccount } | { kind: 'rejected'; reason: string }

export interface AccountRules {
  /** bcrypt's cost that a foreign hash may take as long as. */
  hashCost: number
  /** Whether a verifier of the former system is configured. */
  hasVerifier: boolean
}

/** Clocks of the former system and of this one may differ. */
const aheadMs = 5 * 60_000

/** Faults that a reason names: an account may have a million unknown fields. */
const mostFaults = 10

/** Reads an account of another system: parsed JSON of a line or a request. */
export function readAccount(value: unknown, rules: AccountRules, now: EpochMs): ReadAccount {
  const { data, error } = importedUser.safeParse(value)
  if (error) {
    const faults = listSchemaFaults(error)
      .slice(0, mostFaults)
      .map((fault) =>
        describeSchemaFault(
          fault.isUnknownKey ? { ...fault, message: 'is not a field' } : fault,
          'the account',
        ),
      )
    return { kind: 'rejected', reason: faults.join('; ') }
  }
  if (data.created_at && data.created_at.getTime() > now + aheadMs)
    return { kind: 'rejected', reason: 'created_at: is in the future' }
  const password = readPassword(data.password_hash, rules)
  if (password.kind === 'rejected') return { kind: 'rejected', reason: `password_hash: ${password.reason}` }
  const totpSecret = data.totp_secret?.replace(/=+$/, '').toUpperCase() ?? null
  return {
    kind: 'read',
    account: {
      externalId: data.external_id,
      createdAt: data.created_at,
      passwordHash: password.stored,
      totpSecret,
      state: {
        email: data.email,
        emailVerified: data.email_verified,
        displayName: data.display_name,
        role: data.role,
        status: data.status,
        metadata: data.metadata ?? {},
        subscription: { plan: data.plan, periodEndsAt: data.period_ends_at?.toISOString() ?? null },
        password: digestOf(password.stored),
        totpSecret: digestOf(totpSecret),
      },
    },
  }
}

type ReadPassword = { kind: 'read'; stored: string | null } | { kind: 'rejected'; reason: string }

function readPassword(text: string | null, { hashCost, hasVerifier }: AccountRules): ReadPassword {
  if (text === null) return { kind: 'read', stored: null }
  if (text === verifierForm)
    return hasVerifier
      ? { kind: 'read', stored: leftToVerifier }
      : { kind: 'rejected', reason: `${verifierForm} needs LEGACY_VERIFIER_URL` }
  const imported = readImportedHash(text)
  if (imported.kind === 'rejected') return imported
  const tooCostly = whyTooCostly(imported.hash, hashCost)
  if (tooCostly) return { kind: 'rejected', reason: tooCostly }
  return { kind: 'read', stored: formatForeignHash(imported.hash) }
}

/** SHA-256, for comparing: a second copy of the secret would outlive the first. */
export const digestOf = (secret: string | null) =>
  secret === null ? null : createHash('sha256').update(secret).digest('base64url')

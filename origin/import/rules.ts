import { isDeepStrictEqual } from 'node:util'
import type { AccountState, ImportedAccount } from './account.ts'

/** An account that exists. */
export interface ExistingAccount {
  id: string
  externalId: string | null
  level: number
  current: AccountState
  /** As it was imported last; null where it was not imported. */
  imported: AccountState | null
}

/** The accounts that a row may mean: by its external id, and by its address. */
export interface Owners {
  byExternalId: ExistingAccount | undefined
  byEmail: ExistingAccount | undefined
}

/** Roles that an import may give and change. */
export interface Grant {
  highestLevel: number
  /** Allowed whatever their level. */
  roles: readonly string[]
}

/** Levels of roles, and ids of plans, by name. */
export interface Catalogue {
  roles: ReadonlyMap<string, { id: number; level: number }>
  plans: ReadonlyMap<string, number>
}

export type Verdict =
  | { kind: 'create' }
  | { kind: 'update'; account: ExistingAccount; changes: Partial<AccountState>; externalId: string | null }
  | { kind: 'unchanged'; account: ExistingAccount }
  | { kind: 'rejected'; reason: string }

/** The level of a subscriber: roles above it administer the product, or parts of it. */
export const highestImportedLevel = 50

const rejected = (reason: string): Verdict => ({ kind: 'rejected', reason })

/**
 * Decides what a row does. An address that somebody registered here is not linked: whoever did so
 * would get the account of the address's owner.
 */
export function evaluateRow(
  row: ImportedAccount,
  { byExternalId, byEmail }: Owners,
  catalogue: Catalogue,
  grant: Grant,
): Verdict {
  const { role, subscription } = row.state
  const given = catalogue.roles.get(role)
  if (!given) return rejected(`role: there is no ${role}`)
  if (!isGranted(grant, role, given.level))
    return rejected(`role: ${role} is above what this import may give`)
  if (!catalogue.plans.has(subscription.plan)) return rejected(`plan: there is no ${subscription.plan}`)

  const account = byExternalId ?? byEmail
  if (!account) return { kind: 'create' }
  if (byEmail && byEmail.id !== account.id) return rejected('email: another account has the address')
  if (!account.imported) return rejected('email: the address was registered here, not imported')
  const { externalId } = account
  if (externalId !== null && row.externalId !== null && externalId !== row.externalId)
    return rejected('external_id: the account of the address has another one')

  const changes = mergeState(account.imported, account.current, row.state)
  const adopted = externalId ?? row.externalId
  if (Object.keys(changes).length === 0 && adopted === externalId) return { kind: 'unchanged', account }
  if (!isGranted(grant, account.current.role, account.level))
    return rejected(`role: the account is ${account.current.role}, above what this import may change`)
  return { kind: 'update', account, changes, externalId: adopted }
}

const isGranted = ({ highestLevel, roles }: Grant, role: string, level: number) =>
  level <= highestLevel || roles.includes(role)

/**
 * The members that the former system has changed since the last import, and nobody here. A new
 * address brings its own verification.
 */
function mergeState(
  imported: AccountState,
  current: AccountState,
  next: AccountState,
): Partial<AccountState> {
  const changes: Partial<AccountState> = {}
  for (const key of Object.keys(next) as (keyof AccountState)[]) {
    const isNew = !isDeepStrictEqual(next[key], imported[key]) && !isDeepStrictEqual(next[key], current[key])
    if (isNew && isDeepStrictEqual(current[key], imported[key])) Object.assign(changes, { [key]: next[key] })
  }
  if (changes.email !== undefined) changes.emailVerified = next.emailVerified
  return changes
}

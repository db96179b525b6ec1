import postgres from 'postgres'
import { type AuditEvent, insertAuditRows } from '../audit/queries.ts'
import type { Queryable, Sql, Transaction } from '../db/types.ts'
import { spendEmailTokens } from '../email-tokens/queries.ts'
import { raiseUserEpochs } from '../entitlements/epochs.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Encryption } from '../keys/encryption.ts'
import { endSessions } from '../sessions/queries.ts'
import { selectClock } from '../subscriptions/queries.ts'
import { replaceSubscription } from '../subscriptions/replace-subscription.ts'
import { type GivenAccount, type ImportedAccount, withDefaults } from './account.ts'
import {
  insertAccounts,
  lockAccountsForUpdate,
  lockImports,
  replaceTotpSecrets,
  selectAccounts,
  selectCatalogue,
  selectDefaults,
  selectMatches,
  updateAccounts,
  upsertImports,
} from './queries.ts'
import {
  auditChanges,
  type Change,
  encryptTotpSecret,
  toChangedRow,
  toExistingAccount,
  toNewAccountRow,
} from './rows.ts'
import { type Catalogue, evaluateRow, type Grant, type Owners, type Verdict } from './rules.ts'

export type ImportOutcome =
  /** Without an id in a dry run. */
  | { kind: 'created'; userId?: string }
  | { kind: 'updated' | 'unchanged'; userId: string }
  | { kind: 'rejected'; reason: string }

interface ImporterOptions {
  sql: Sql
  encryption: Encryption
}

interface ImportOptions {
  grant: Grant
  /** Decides what would happen, and writes nothing. */
  isDryRun?: boolean
  context: RequestContext
  /** Members of the audit rows that say who imported. */
  by?: Record<string, string>
}

export type AccountImporter = ReturnType<typeof createAccountImporter>

const dayMs = 86_400_000

/**
 * A batch that lost a race against a registration, a login or the removal of a role or plan is
 * evaluated again.
 */
const mostAttempts = 3
const lostRaces = new Set(['23503', '23505', '40001', '40P01'])
const isLostRace = (error: unknown) => error instanceof postgres.PostgresError && lostRaces.has(error.code)

/** Imports accounts of another system. No mail is sent. */
export function createAccountImporter({ sql, encryption }: ImporterOptions) {
  /** The verdict on each row. @param lock locks the accounts that the rows may mean */
  async function evaluate(
    db: Queryable,
    rows: readonly ImportedAccount[],
    grant: Grant,
    lock: (ids: readonly string[]) => Promise<void>,
  ): Promise<{ verdicts: Verdict[]; catalogue: Catalogue }> {
    const catalogue = await selectCatalogue(db)
    const keys = rows.map(({ externalId, state }) => ({ externalId, email: state.email }))
    const matches = await selectMatches(db, keys)
    const ids = [...new Set(matches.map(({ id }) => id))]
    await lock(ids)
    const stored = await selectAccounts(db, ids)
    const accounts = new Map(stored.map((account) => [account.id, toExistingAccount(encryption, account)]))
    const owners = rows.map((): Owners => ({ byExternalId: undefined, byEmail: undefined }))
    for (const { position, by, id } of matches) {
      const owner = owners[position]
      if (owner) owner[by === 'email' ? 'byEmail' : 'byExternalId'] = accounts.get(id)
    }
    const verdicts = rows.map((row, index) =>
      evaluateRow(row, owners[index] ?? { byExternalId: undefined, byEmail: undefined }, catalogue, grant),
    )
    return { verdicts, catalogue }
  }

  /** @returns the ids of those whose address was still free */
  async function create(
    transaction: Transaction,
    rows: readonly ImportedAccount[],
    catalogue: Catalogue,
  ): Promise<Map<ImportedAccount, string>> {
    const ids = new Map<ImportedAccount, string>(rows.map((row) => [row, crypto.randomUUID()]))
    const inserted = await insertAccounts(
      transaction,
      [...ids].map(([row, id]) => toNewAccountRow(id, row, catalogue)),
    )
    for (const [row, id] of ids) if (!inserted.has(id)) ids.delete(row)
    return ids
  }

  async function update(
    transaction: Transaction,
    changed: readonly Change[],
    catalogue: Catalogue,
  ): Promise<void> {
    await updateAccounts(
      transaction,
      changed.map((each) => toChangedRow(each, catalogue)),
    )
    const isInTokens = ({ changes: { email, role, status } }: Change) =>
      [email, role, status].some((value) => value !== undefined)
    await raiseUserEpochs(
      transaction,
      changed.filter(isInTokens).map(({ account }) => account.id),
    )
    for (const { account, changes } of changed) {
      const { id: userId } = account
      if (changes.status === 'disabled') await endSessions(transaction, { userId }, 'account_locked')
      else if (changes.password !== undefined) await endSessions(transaction, { userId }, 'password_changed')
      // Links that were mailed to the former address, or before the former system set the password.
      if (changes.email !== undefined) await spendEmailTokens(transaction, 'email_verification', userId)
      if (changes.email !== undefined || changes.password !== undefined)
        await spendEmailTokens(transaction, 'password_reset', userId)
      if (changes.subscription) await assignPlan(transaction, userId, changes.subscription, catalogue)
    }
  }

  /** As in a new account, a period that is over began a day before its end. */
  async function assignPlan(
    transaction: Transaction,
    userId: string,
    { plan, periodEndsAt: end }: { plan: string; periodEndsAt: string | null },
    { plans }: Catalogue,
  ): Promise<void> {
    const now = await selectClock(transaction)
    const periodEndsAt = end === null ? null : new Date(end)
    const latestStart = periodEndsAt ? periodEndsAt.getTime() - dayMs : Number.POSITIVE_INFINITY
    await replaceSubscription(transaction, userId, plans.get(plan) ?? 0, {
      plan,
      status: 'active',
      periodStartedAt: new Date(Math.min(now.getTime(), latestStart)),
      periodEndsAt,
      cancelAtPeriodEnd: false,
    })
  }

  async function write(
    rows: readonly ImportedAccount[],
    { grant, context, by = {} }: ImportOptions,
  ): Promise<ImportOutcome[]> {
    return sql.begin(async (transaction) => {
      await lockImports(transaction)
      const { verdicts, catalogue } = await evaluate(transaction, rows, grant, (ids) =>
        lockAccountsForUpdate(transaction, ids),
      )
      const isNew = (_: unknown, index: number) => verdicts[index]?.kind === 'create'
      const created = await create(transaction, rows.filter(isNew), catalogue)
      const changed = rows.flatMap((row, index): Change[] => {
        const verdict = verdicts[index]
        return verdict?.kind === 'update' ? [{ ...verdict, row }] : []
      })
      await update(transaction, changed, catalogue)
      await replaceTotpSecrets(transaction, [
        ...[...created].map(([row, id]) => encryptTotpSecret(encryption, id, row)),
        ...changed
          .filter(({ changes }) => changes.totpSecret !== undefined)
          .map(({ account, row }) => encryptTotpSecret(encryption, account.id, row)),
      ])
      await upsertImports(transaction, [
        ...[...created].map(([{ state }, id]) => ({ user_id: id, imported: state })),
        ...changed.map(({ account, changes, row }) => ({
          user_id: account.id,
          imported: { ...(account.imported ?? row.state), ...changes },
        })),
      ])
      const about = { action: 'account.imported', actorId: null, context } as const
      await insertAuditRows(transaction, [
        ...[...created].map(([{ externalId }, userId]): AuditEvent => {
          return { ...about, userId, details: { outcome: 'created', external_id: externalId, ...by } }
        }),
        ...changed.map((each): AuditEvent => {
          return { ...about, userId: each.account.id, details: { ...auditChanges(each), ...by } }
        }),
      ])
      return rows.map((row, index) => outcomeOf(verdicts[index], created.get(row)))
    })
  }

  return {
    /**
     * Imports a batch in one transaction; a row that is rejected keeps no other out. No two rows
     * have an address or an external id in common.
     *
     * @returns the outcome of each row, in their order
     */
    async import(given: readonly GivenAccount[], options: ImportOptions): Promise<ImportOutcome[]> {
      if (given.length === 0) return []
      const defaults = await selectDefaults(sql)
      const rows = given.map((account) => withDefaults(account, defaults))
      if (options.isDryRun) {
        const { verdicts } = await evaluate(sql, rows, options.grant, async () => {})
        return verdicts.map((verdict) =>
          verdict.kind === 'create' ? { kind: 'created' } : outcomeOf(verdict),
        )
      }
      for (let attempt = 1; ; attempt++) {
        try {
          return await write(rows, options)
        } catch (error) {
          if (attempt === mostAttempts || !isLostRace(error)) throw error
        }
      }
    },
  }
}

/** @param createdId the id of a new account, whose address was still free */
function outcomeOf(verdict: Verdict | undefined, createdId?: string): ImportOutcome {
  switch (verdict?.kind) {
    case 'update':
      return { kind: 'updated', userId: verdict.account.id }
    case 'unchanged':
      return { kind: 'unchanged', userId: verdict.account.id }
    case 'rejected':
      return verdict
    case 'create':
    case undefined:
      return createdId === undefined
        ? { kind: 'rejected', reason: 'email: the address was registered here a moment ago' }
        : { kind: 'created', userId: createdId }
  }
}

import type { JsonObject } from '../../shared/contract.ts'
import { setProductMetadata } from '../accounts/metadata-service.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import { raiseUserEpoch } from '../entitlements/epochs.ts'
import { deleteRecoveryCodes, deleteTotp } from '../factors/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import { clearAttempts } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import { endSessions, lowerSessionsToAal1 } from '../sessions/queries.ts'
import { type AdminAction, lockBothForUpdate, rejectChange } from './authority.ts'
import { lockRole, selectRoleOf } from './role-queries.ts'
import { evaluateAuthority, evaluateRoleChange, type RoleRejection } from './rules.ts'
import { type AccountForUpdate, updateRole, updateStatus } from './user-queries.ts'

export type ChangeOutcome =
  | { kind: 'done' }
  | { kind: 'unknown_user' }
  | { kind: 'unknown_role' }
  | { kind: 'unknown_session' }
  | { kind: 'rejected'; reason: RoleRejection }

const done = { kind: 'done' } as const
const unknownUser = { kind: 'unknown_user' } as const

interface UserOptions {
  sql: Sql
  /** Resets the limit of failed logins at an account; called after the commit. */
  resetLoginLimit: (email: string) => Promise<void>
  mail: Mail
}

export type UserService = ReturnType<typeof createUserService>

/**
 * Changes of accounts by administrators. Levels are read from rows that the transaction locks, not
 * from the actor's token: an actor who was just demoted or disabled changes nothing.
 */
export function createUserService({ sql, resetLoginLimit, mail }: UserOptions) {
  /** Runs a change that needs authority over an account. */
  async function withAuthority(
    change: AdminAction,
    attempted: string,
    work: (transaction: Transaction, target: AccountForUpdate) => Promise<ChangeOutcome>,
  ): Promise<ChangeOutcome> {
    return sql.begin(async (transaction) => {
      const { actor, target } = await lockBothForUpdate(transaction, change)
      if (!target) return unknownUser
      const verdict = evaluateAuthority(actor, target)
      if (verdict !== 'allowed') return rejectChange(transaction, change, attempted, verdict)
      return work(transaction, target)
    })
  }

  return {
    async changeRole(change: AdminAction, role: string): Promise<ChangeOutcome> {
      return sql.begin(async (transaction) => {
        const { actor, target } = await lockBothForUpdate(transaction, change)
        if (!target) return unknownUser
        const given = await lockRole(transaction, role)
        if (!given) return { kind: 'unknown_role' }
        const permissions = (await selectRoleOf(transaction, change.actorId))?.permissions ?? []
        const verdict = evaluateRoleChange({ ...actor, permissions }, target, given)
        if (verdict !== 'allowed') return rejectChange(transaction, change, `role ${role}`, verdict)
        if (target.role === role) return done
        await setRole(transaction, target, role, { actorId: change.actorId, context: change.context })
        return done
      })
    },

    /** Disables an account until an admin enables it, and ends its sessions. */
    disable: (change: AdminAction, reason: string | null) =>
      withAuthority(change, 'lock', async (transaction, { id }) => {
        if (!(await updateStatus(transaction, id, 'disabled'))) return done
        const ended = await endSessions(transaction, { userId: id }, 'account_locked')
        await raiseUserEpoch(transaction, id)
        await insertAuditRow(transaction, {
          action: 'account.disabled',
          actorId: change.actorId,
          userId: id,
          context: change.context,
          details: {
            before: { status: 'active' },
            after: { status: 'disabled' },
            reason,
            sessions_ended: ended.length,
          },
        })
        return done
      }),

    /**
     * Ends a lockout, and enables an account that an admin disabled. Ending a lockout needs
     * authority too: an admin who could reset the failures of a superior could guess that password
     * without limit.
     */
    async enable(change: AdminAction): Promise<ChangeOutcome> {
      let unlocked: string | undefined
      const outcome = await withAuthority(change, 'unlock', async (transaction, { id: userId, email }) => {
        const by = { actorId: change.actorId, userId, context: change.context }
        if (await updateStatus(transaction, userId, 'active')) {
          await raiseUserEpoch(transaction, userId)
          const details = { before: { status: 'disabled' }, after: { status: 'active' } }
          await insertAuditRow(transaction, { action: 'account.enabled', ...by, details })
        }
        const ofPasswords = await clearAttempts(transaction, email, 'password')
        const ofCodes = await clearAttempts(transaction, email, 'code')
        const details = { was_counted: ofPasswords || ofCodes }
        await insertAuditRow(transaction, { action: 'account.unlocked', ...by, details })
        unlocked = email
        return done
      })
      if (unlocked !== undefined) await resetLoginLimit(unlocked)
      return outcome
    },

    setMetadata: (change: AdminAction, metadata: JsonObject) =>
      withAuthority(change, 'metadata', async (transaction) => {
        await setProductMetadata(transaction, { ...change, metadata })
        return done
      }),

    /**
     * Removes the second factors of an account whose owner has lost them, and notifies the owner.
     * Its sessions are at aal1 from the commit on.
     */
    async resetFactors(change: AdminAction): Promise<ChangeOutcome> {
      const outcome = await withAuthority(change, 'reset factors', async (transaction, { id, email }) => {
        const hadTotp = await deleteTotp(transaction, id)
        const hadCodes = await deleteRecoveryCodes(transaction, id)
        if (!hadTotp && !hadCodes) return done
        await clearAttempts(transaction, email, 'code')
        await lowerSessionsToAal1(transaction, id)
        await raiseUserEpoch(transaction, id)
        await insertAuditRow(transaction, {
          action: 'factor.reset',
          actorId: change.actorId,
          userId: id,
          context: change.context,
          details: { totp: hadTotp, recovery_codes: hadCodes },
        })
        await mail.enqueue(transaction, email, mail.messages.factorsReset())
        return done
      })
      mail.wake()
      return outcome
    },

    /** @param only the session to end; all sessions where it is undefined */
    endSessions: (change: AdminAction, only?: string) =>
      withAuthority(change, 'end sessions', async (transaction, { id }) => {
        const ended = await endSessions(transaction, { userId: id, ...(only && { only }) }, 'ended_by_admin')
        if (only && ended.length === 0) return { kind: 'unknown_session' }
        if (ended.length === 0) return done
        await insertAuditRow(transaction, {
          action: 'session.ended',
          actorId: change.actorId,
          userId: id,
          ...(only && { sessionId: only }),
          context: change.context,
          details: { reason: 'ended_by_admin', count: ended.length },
        })
        return done
      }),
  }
}

/** Changes the role of an account. Its tokens are stale from the commit on. */
export async function setRole(
  transaction: Transaction,
  { id: userId, role: before }: Pick<AccountForUpdate, 'id' | 'role'>,
  after: string,
  { actorId, context }: { actorId: string | null; context: RequestContext },
): Promise<void> {
  await updateRole(transaction, userId, after)
  await raiseUserEpoch(transaction, userId)
  const details = { before: { role: before }, after: { role: after } }
  await insertAuditRow(transaction, { action: 'account.role_changed', actorId, userId, context, details })
}

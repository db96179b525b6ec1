import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import { raiseRoleEpoch } from '../entitlements/epochs.ts'
import type { RequestContext } from '../http/request-context.ts'
import {
  lockRoleForUpdate,
  type Role,
  replaceRolePermissions,
  selectPermissionNames,
  selectRoleOf,
} from './role-queries.ts'
import { evaluatePermissionsChange, type PermissionsRejection } from './rules.ts'

export type RoleOutcome =
  | { kind: 'changed'; role: Role }
  | { kind: 'unknown_role' }
  /** Indexes of the names that are no permissions. */
  | { kind: 'unknown_permissions'; positions: number[] }
  | { kind: 'rejected'; reason: PermissionsRejection }

interface RoleChange {
  role: string
  permissions: readonly string[]
  actorId: string
  context: RequestContext
}

export type RoleService = ReturnType<typeof createRoleService>

export function createRoleService({ sql }: { sql: Sql }) {
  return {
    /**
     * Sets the permissions of a role. One row makes the tokens of all its accounts stale from the
     * commit on.
     */
    async setPermissions({ role: name, permissions, actorId, context }: RoleChange): Promise<RoleOutcome> {
      return sql.begin(async (transaction): Promise<RoleOutcome> => {
        const before = await lockRoleForUpdate(transaction, name)
        if (!before) return { kind: 'unknown_role' }
        const wanted = await selectPermissionNames(transaction, permissions)
        const positions = permissions.flatMap((given, index) => (wanted.includes(given) ? [] : [index]))
        if (positions.length > 0) return { kind: 'unknown_permissions', positions }

        const actor = (await selectRoleOf(transaction, actorId)) ?? { level: -1, permissions: [] }
        const changed = difference(before.permissions, wanted)
        const verdict = evaluatePermissionsChange(actor, before, changed)
        const about = { actorId, userId: null, context }
        if (verdict !== 'allowed') {
          const details = { attempted: `permissions of ${name}`, reason: verdict }
          await insertAuditRow(transaction, { action: 'role.change_refused', ...about, details })
          return { kind: 'rejected', reason: verdict }
        }
        if (changed.length === 0) return { kind: 'changed', role: before }
        await replaceRolePermissions(transaction, name, wanted)
        await raiseRoleEpoch(transaction, name)
        const details = {
          role: name,
          before: { permissions: before.permissions },
          after: { permissions: wanted },
        }
        await insertAuditRow(transaction, { action: 'role.permissions_changed', ...about, details })
        return { kind: 'changed', role: { ...before, permissions: wanted } }
      })
    },
  }
}

/** The names that only one of the lists has. */
function difference(one: readonly string[], other: readonly string[]): string[] {
  return [...one.filter((name) => !other.includes(name)), ...other.filter((name) => !one.includes(name))]
}
